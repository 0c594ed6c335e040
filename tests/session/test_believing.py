"""What stands above an answer: a clip unlike the training clips, channels that disagree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emollama.base.paths import FAMILIARITY_FILE
from emollama.cli.show import show_answer
from emollama.demo.bars import answer_bars
from emollama.encoders.expression import CLASSES
from emollama.encoders.prosody import ProsodyEncoder
from emollama.inputs.familiarity import Familiarity, write_familiarity
from emollama.inputs.familiarity_fit import _fit
from emollama.media.clip import Clip
from emollama.media.transcript import Transcriber, Transcript
from emollama.scoring.metrics.referee import conflict
from emollama.session import open_session
from emollama.session.answer import Answer
from emollama.session.disagreement import clear_expression
from emollama.session.observation import Timeline
from tests.features.made import voice
from tests.media.vowels import vowels
from tests.session.made import tiny_artefact

ENCODER = ProsodyEncoder(segments=4)


def heard_low() -> Familiarity:
    """Of low voices."""
    pitches = [f0 + 4 * i for f0 in (95, 105, 115) for i in range(6)]
    tracks = ENCODER.encode([Clip(None, vowels(f0, 1.2), 1.2) for f0 in pitches])
    clips = np.stack([track.values.mean(axis=0) for track in tracks if track])
    people = [str(i // 6) for i in range(len(clips))]
    widths = {"voice": {"prosody": ENCODER.width}}
    return Familiarity(widths, {"voice": {"corpus": _fit(clips, people)}}, len(clips), 3)


def test_an_unlike_clip_is_told_above_the_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tiny_artefact(tmp_path / "tiny")
    voice(tmp_path / "low.wav", 110, 1.2)
    voice(tmp_path / "high.wav", 330, 1.2)
    old = open_session(model, "float32", describe=False)
    assert old.answer(old.look(tmp_path / "high.wav", "a"), False).to_dict()["familiar"] is None
    write_familiarity(heard_low(), model / FAMILIARITY_FILE)
    session = open_session(model, "float32", describe=False)
    low = session.answer(session.look(tmp_path / "low.wav", "a"), False)
    assert low.to_dict()["familiar"]["overall"] is True
    look = session.look(tmp_path / "high.wav", "a")
    high = session.answer(look, False)
    assert high.to_dict()["familiar"]["channels"]["voice"]["familiar"] is False
    warning = high.leading[0]
    assert warning.startswith("This clip is unlike") and high.notes[0] == warning
    assert "of 3 known people only" in warning
    show_answer(tmp_path / "high.wav", high)
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.count("This clip is unlike") == 1
    assert shown.index("This clip is unlike") < shown.index("%")
    page = answer_bars(high)
    assert page.index("This clip is unlike") < page.index('class="headline"')
    # A channel that is left out does not speak.
    words = session.answer(look.without("voice"), False)
    assert words.to_dict()["familiar"] == {"overall": None, "channels": {}}


def answer(label: str, alone: dict[str, str], face_reader: str | None) -> Answer:
    return Answer(
        label, {"sad": 0.6, "happy": 0.4}, ("voice", "face"), {}, None, None, (), 0.0,
        alone=alone, face_reader=face_reader,
    )  # fmt: skip


def test_a_sentence_says_who_disagrees() -> None:
    found = answer("sad", {"voice": "sad", "face": "happy"}, "happy")
    assert found.disagreement == (
        "The channels disagree: the voice alone says sad, the face alone says happy; together they "
        "say sad, as the voice. The face reader says happy, the model says sad."
    )
    verdict = answer("sad", {"voice": "sad", "words": "happy"}, None).verdict or ""
    assert "the words alone say happy; together" in verdict
    assert answer("sad", {"voice": "sad", "face": "sad"}, "sad").disagreement is None
    assert answer("sad", {}, None).disagreement is None
    assert found.follows == ("voice",) and answer("sad", {"voice": "sad"}, None).follows == ()


def test_conflict_is_how_likely_two_channels_show_different_emotions() -> None:
    sure, unsure = {"sad": 1.0, "happy": 0.0}, {"sad": 0.5, "happy": 0.5}
    assert conflict([sure, sure]) == 0 and conflict([sure]) is None
    assert conflict([sure, sure, unsure]) == 0.5
    assert conflict([sure, {"sad": 0.0, "happy": 1.0}]) == 1


def test_only_a_clear_expression_is_one() -> None:
    none = np.zeros(0)
    rows = np.full((4, len(CLASSES)), 0.02)
    rows[:, CLASSES.index("happy")] = 0.88
    timeline = Timeline(np.arange(4.0), rows, CLASSES, none, none, none)
    assert clear_expression(timeline) == "happy"
    assert clear_expression(replace(timeline, expressions=np.full((4, 7), 1 / 7))) is None
    neutral = np.roll(rows, CLASSES.index("neutral") - CLASSES.index("happy"), axis=1)
    assert clear_expression(replace(timeline, expressions=neutral)) is None
    assert clear_expression(replace(timeline, expressions=np.full((4, 7), np.nan))) is None


def test_speech_that_is_not_understood_is_not_no_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Transcriber, "transcribe", lambda self, audio: Transcript())
    session = open_session(tiny_artefact(tmp_path / "tiny"), "float32", describe=False)
    voice(tmp_path / "a.wav", 150, 1.5)
    found = session.answer(session.look(tmp_path / "a.wav"), False).to_dict()
    told = f"someone speaks for {found['speech_seconds']:.1f} s, not understood"
    assert found["speech_seconds"] > 0.5
    assert found["absent"]["words"] == f"{told} (language: not English?)"
    assert found["notes"].count(found["absent"]["words"]) == 1
    assert "no words in this clip" not in found["notes"]
    corrected = session.reworded(session.look(tmp_path / "a.wav"), "They broke it.")
    assert not [one for one in corrected.notes if "understood" in one]
    left = session.answer(session.look(tmp_path / "a.wav", transcribe=False), False).to_dict()
    assert left["absent"]["words"].endswith("not transcribed")
    given = session.answer(session.look(tmp_path / "a.wav", ""), False).to_dict()
    assert given["absent"]["words"] == "no words"
