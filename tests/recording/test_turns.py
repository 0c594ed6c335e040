"""Speakers are told apart by voice alone, across blocks and in any order."""

from __future__ import annotations

import numpy as np
import pytest

from emollama.media.speech import Span
from emollama.recording.turns import heard_speech, person_name, voice_turns
from emollama.recording.voice_groups import Stretches, group_voices, unit
from tests.recording.made_up import blocks

TALK = [(i * 4.0 + 1, i * 4.0 + 4, i % 2) for i in range(20)]


def test_two_people_in_turn_are_two_speakers() -> None:
    turns = voice_turns(blocks(TALK, 82.0))
    assert [turn.speaker for turn in turns] == ["A", "B"] * 10
    for turn, (start, end, _) in zip(turns, TALK, strict=True):
        assert turn.start == pytest.approx(start, abs=0.1)
        assert turn.end == pytest.approx(end, abs=0.1)


def test_the_length_of_blocks_changes_nothing() -> None:
    short, long = (voice_turns(blocks(TALK, 82.0, length)) for length in (30.0, 100.0))
    assert [turn.speaker for turn in short] == [turn.speaker for turn in long]
    for one, other in zip(short, long, strict=True):
        assert (one.start, one.end) == pytest.approx((other.start, other.end), abs=0.065)


def test_one_voice_is_one_speaker() -> None:
    said = [(start, end, 0) for start, end, _ in TALK]
    assert {turn.speaker for turn in voice_turns(blocks(said, 82.0))} == {"A"}


def test_the_number_may_be_given() -> None:
    said = [(start, end, i % 3) for i, (start, end, _) in enumerate(TALK)]
    assert {turn.speaker for turn in voice_turns(blocks(said, 82.0), 3)} == {"A", "B", "C"}
    assert {turn.speaker for turn in voice_turns(blocks(said, 82.0), 1)} == {"A"}
    assert len({turn.speaker for turn in voice_turns(blocks(said[:2], 10.0), 5)}) == 2


def test_speech_may_be_given() -> None:
    turns = voice_turns(blocks(TALK, 82.0), speech=[Span(0.5, 8.5)])
    assert [(turn.start, turn.end) for turn in turns] == [(0.5, 4.5), (4.5, 8.5)]


def test_speech_across_the_edge_of_a_block_is_one_stretch() -> None:
    found = heard_speech(blocks([(28.0, 33.0, 0)], 40.0))
    assert len(found) == 1 and found[0].end - found[0].start == pytest.approx(5, abs=0.15)


def test_where_nobody_speaks_there_are_no_turns() -> None:
    assert voice_turns(blocks([], 40.0)) == [] and voice_turns([]) == []


def test_vectors_that_are_missing_are_told() -> None:
    kept = [block.from_arrays(block.to_arrays()) for block in blocks(TALK, 82.0)]
    with pytest.raises(ValueError, match="with_vectors"):
        voice_turns(kept)


def test_a_voice_heard_for_a_moment_is_no_speaker_of_its_own() -> None:
    generator = np.random.default_rng(3)
    voices = unit(np.abs(generator.normal(size=(3, 256))) * (generator.random((3, 256)) < 0.3))
    who = np.array([0, 1] * 15 + [2])
    vectors = unit(voices[who] + 0.02 * np.abs(generator.normal(size=(31, 256))))
    spans = np.stack([np.arange(31) * 4.0, np.arange(31) * 4.0 + 3], 1)
    groups = group_voices(Stretches(spans, vectors))
    assert len(set(groups.tolist())) == 2 and (groups[:30] == groups[who[:30]]).all()


def test_names_go_on_after_z() -> None:
    assert [person_name(i) for i in (0, 25, 26, 27, 52)] == ["A", "Z", "AA", "AB", "BA"]
