"""Segments cover what everybody says, end at pauses and cuts, and show the right face."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from emollama.manifest.sample import require_name
from emollama.recording.parts import (
    FACE_RATE,
    FaceTrack,
    Person,
    Segment,
    Turn,
    Word,
    segment_id,
)
from emollama.recording.segments import cut_segments, word_owners


def track(start: float, end: float, left: float = 0.1, drift: float = 0.0) -> FaceTrack:
    """A face of .2 x .3 of the picture."""
    times = np.arange(round(start * FACE_RATE), round(end * FACE_RATE)) / FACE_RATE
    lefts = left + np.linspace(0, drift, len(times))
    boxes = np.stack([lefts, 0 * times + 0.4, lefts + 0.2, 0 * times + 0.7], 1)
    none = np.zeros(0)
    return FaceTrack(
        times, boxes.astype(np.float32), np.ones(len(times), np.float32),
        np.ones((len(times), 7), np.float32) / 7, none, none, np.zeros(4, np.float32),
    )  # fmt: skip


def cut(
    people: list[Person], turns: list[Turn], words: list[Word] | None = None,
    cuts: tuple[float, ...] = (), duration: float = 60.0,
) -> list[Segment]:  # fmt: skip
    return cut_segments(people, turns, words or [], cuts, duration, "talk")


def spans(segments: list[Segment], person: str = "A") -> list[tuple[float, float]]:
    return [(s.start, s.end) for s in segments if s.person == person]


HEARD = [Person("A", (), True)]


def test_a_long_turn_is_split_at_its_pauses_and_words_stay_whole() -> None:
    starts = [i * 0.5 for i in range(24)] + [12.8 + i * 0.5 for i in range(50)]
    words = [Word(start, start + 0.5, f"w{i}") for i, start in enumerate(starts)]
    words[48] = Word(24.8, 25.1, "w48")  # near the middle a little pause of .2 s,
    words[70] = Word(35.8, 36, "w70")  # a longer one far from it
    found = cut(HEARD, [Turn(0, 37.8, "A")], words)
    assert spans(found) == [(0, 12.4), (12.4, 25.2), (25.2, 37.8)]
    assert all(1 <= s.end - s.start <= 15 for s in found)
    assert [w.text for s in found for w in s.words] == [f"w{i}" for i in range(74)]
    assert found[0].id == "talk-A-0000000" and found[1].id == "talk-A-0001240"
    assert found[0].text and found[0].view is None and found[0].face == 0


def test_without_words_a_long_turn_is_halved() -> None:
    assert spans(cut(HEARD, [Turn(2, 34, "A")])) == [(2, 10), (10, 18), (18, 26), (26, 34)]


def test_short_turns_are_joined_or_widened_into_silence() -> None:
    assert spans(cut(HEARD, [Turn(2, 3.5, "A"), Turn(3.9, 8, "A")])) == [(2, 8)]
    both = [*HEARD, Person("B", (), True)]
    # Somebody else speaks in between, and all around.
    between = [Turn(2, 3.5, "A"), Turn(3.6, 3.8, "B"), Turn(3.9, 8, "A")]
    assert spans(cut(both, between)) == [(2, 3.5), (3.9, 8)]
    assert spans(cut(HEARD, [Turn(5, 5.4, "A")])) == [(4.7, 5.7)]
    assert spans(cut(HEARD, [Turn(0, 0.4, "A")])) == [(0, 1)]
    assert spans(cut(both, [Turn(0, 5, "B"), Turn(5, 5.4, "A")])) == [(5, 6)]
    assert spans(cut(both, [Turn(0, 9, "B"), Turn(5, 5.4, "A")])) == [(5, 5.4)]
    assert spans(cut(HEARD, [Turn(59.8, 61, "A")])) == [(59, 60)]


def test_no_segment_of_somebody_seen_crosses_a_cut() -> None:
    seen = [Person("A", (track(0, 4), track(4, 9), track(9, 30)), True)]
    cuts = (4.0, 9.003, 14.1)
    found = cut(seen, [Turn(3.9, 14, "A")], [Word(3.7, 4.1, "so"), Word(5, 6, "what")], cuts)
    for segment in found:
        assert not any(segment.start < at < segment.end for at in cuts), segment
    # The tenth of a second before the first cut is no segment; its word is in the next.
    # Whoever listens has spoken nothing: their sample would be heard with the voice of others.
    assert [(s.start, s.spoken) for s in found if s.spoken] == [(4.0, 5.0), (9.01, 4.99)]
    assert next(s for s in found if s.spoken).text == "so what"
    assert spans(cut(HEARD, [Turn(3.9, 14, "A")], cuts=cuts)) == [(3.9, 14)]


def test_a_face_that_listens_has_segments_of_five_seconds() -> None:
    seen = [Person("A", (track(0, 7), track(7.4, 20), track(20, 31)), True), Person("B", (), True)]
    found = cut(seen, [Turn(10, 14, "A"), Turn(14, 30, "B")], cuts=(20.0,), duration=31)
    silent = [s for s in found if s.person == "A" and not s.spoken]
    assert spans(silent) == [(0, 5), (5, 10), (14, 20), (20, 25.5), (25.5, 31)]
    assert all(s.view is not None and s.words == () for s in silent)
    assert found[0].face == 1 and silent[1].face == pytest.approx(23 / 25)
    assert spans(cut(seen[:1], [], duration=31))[0][0] == 0  # nobody speaks at all


def test_turns_at_once_overlap_and_a_word_is_in_one_of_them() -> None:
    both = [*HEARD, Person("B", (), True)]
    words = [Word(1, 1.5, "I"), Word(4.2, 4.6, "really"), Word(5.5, 6, "no"), Word(20, 21, "hm")]
    found = cut(both, [Turn(1, 5, "A"), Turn(4, 8, "B")], words)
    assert [(s.person, s.text) for s in found] == [("A", "I really"), ("B", "no")]
    assert found[0].end > found[1].start


def test_the_view_holds_face_hair_and_chin_and_nobody_else() -> None:
    near = [Person("A", (track(0, 5, 0.3, 0.05),), False), Person("B", (track(0, 5, 0.6),), False)]
    for found in (cut(near, [], duration=5), cut(near, [], duration=5)[:1]):
        left, top, right, bottom = found[0].view or (0, 0, 0, 0)
        assert left < 0.25 and top < 0.3 and bottom > 0.78
        assert 0.545 <= right <= 0.6  # their whole face, none of B's
    alone = cut(near[:1], [], duration=5)[0].view or (0, 0, 0, 0)
    assert alone[2] > 0.6
    edge = cut([Person("A", (track(0, 5, 0.85),), False)], [], duration=5)[0].view
    assert edge is not None and edge[2] == 1


@pytest.mark.parametrize("seed", range(20))
def test_whoever_speaks_and_however_it_is_cut(seed: int) -> None:
    random = np.random.default_rng(seed)
    turns = [
        Turn(start, min(90, start + random.exponential(4) + 0.1), str(random.choice(["A", "B"])))
        for start in sorted(random.uniform(0, 88, 25))
    ]
    words = [Word(at, at + 0.2, str(i)) for i, at in enumerate(np.arange(0, 89, 0.31))]
    cuts = tuple(sorted(random.uniform(0, 90, 8))) if seed % 2 else ()
    people = [
        Person("A", (track(0, 90),) if seed % 4 < 2 else (), True),
        Person("B", (track(10, 50),), True),
    ]
    found = cut_segments(people, turns, words, cuts, 90.0, "talk")
    kept_words = [w.text for s in found for w in s.words]
    owned = [w.text for w, owner in zip(words, word_owners(words, turns), strict=True)
             if owner is not None]  # fmt: skip
    assert sorted(kept_words) == sorted(owned)
    for person in people:
        own = [s for s in found if s.person == person.name]
        assert all(a.end <= b.start for a, b in pairwise(own))
        for s in own:
            assert s.end - s.start <= 15 and s.start >= 0 and s.end <= 90
            assert not person.tracks or not any(s.start < at < s.end for at in cuts)
        # Of a turn nothing is lost but slivers at cuts.
        marks = np.arange(0, 90, 0.01) + 0.005
        said = np.any([(t.start <= marks) & (marks < t.end) for t in turns
                       if t.speaker == person.name], axis=0)  # fmt: skip
        kept = np.any([(s.start <= marks) & (marks < s.end) for s in own], axis=0)
        assert (said & ~kept).sum() * 0.01 <= 0.5 * len(cuts) * bool(person.tracks) + 0.02 * len(
            own
        )
        # Only where speech of others or cuts leave no room is a segment shorter than 1 s.
        for s in own:
            if s.end - s.start < 0.98:
                edges = [0, 90, *cuts, *(t for turn in turns for t in (turn.start, turn.end))]
                assert any(abs(s.start - e) < 0.02 for e in edges) and any(
                    abs(s.end - e) < 0.02 for e in edges
                ), s


def test_every_name_of_a_recording_gives_ids_that_a_manifest_can_hold() -> None:
    names = ["x" * 250, "x" * 251, "two\nlines", "two\tlines", "gnp\u202e", "\U0001f642 a#b%20d"]
    ids = [segment_id(name, "A", 3600.0) for name in names]
    for one in ids:
        require_name(one, "here")
    assert len(set(ids)) == len(names) and ids[-1] == "\U0001f642 a#b%20d-A-0360000"
    # A file's name has 255 bytes, of which a Chinese letter takes three.
    long = [segment_id(name, "\u738b" * 40, 3600.0) for name in ("\u6f22" * 83, "\u6f22" * 84)]
    assert len(set(long)) == 2 and max(len(one.encode()) for one in long) <= 200
