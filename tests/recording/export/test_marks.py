"""The rules by which moments are marked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from emollama.recording.export.marks import find_marks
from emollama.recording.parts import SegmentAnswer
from tests.recording.export.made import analysis, answered, scores, segment


def found(*people: tuple[str, float, float, SegmentAnswer]) -> list[tuple[str, str]]:
    made = replace(
        analysis(Path("a.mp4")),
        segments=tuple(segment(name, start, end, "so") for name, start, end, _ in people),
        answers=tuple(answer for *_, answer in people),
    )
    return [(mark.kind, mark.words) for mark in find_marks(made)]


@pytest.mark.parametrize(
    ("first", "second", "start", "marked"),
    [
        (answered("sad", 0.5), answered("happy", 0.5), 14.0, True),
        (answered("sad", 0.49), answered("happy", 0.9), 4.0, False),
        (answered("sad", 0.9), answered("happy", 0.49), 4.0, False),
        (answered("sad", 0.9), answered("sad", 0.6), 4.0, False),
        (answered("sad", 0.9), answered("happy", 0.9), 14.1, False),  # a pause of 10.1 s
        (SegmentAnswer(None, {}, error="no"), answered("happy", 0.9), 4.0, False),
    ],
)
def test_a_change_is_sure_on_both_sides_and_without_a_long_pause(
    first: SegmentAnswer, second: SegmentAnswer, start: float, marked: bool
) -> None:
    marks = found(("A", 1, 4, first), ("A", start, start + 2, second))
    assert marks == ([("change", "sad → happy")] if marked else [])
    # Another person's segment between them, or before, changes nothing.
    between = ("B", 4.0, 5.0, answered("angry", 0.9))
    assert found(("A", 1, 4, first), between, ("A", start, start + 2, second)) == marks


def test_a_conflict_is_between_sure_channels() -> None:
    three = {"face": scores(sad=0.6), "words": scores(happy=0.5), "voice": scores(sad=0.9)}
    answer = answered("sad", 0.9, by_channel=three)
    assert found(("A", 1, 4, answer)) == [
        ("conflict", "voice sad, words happy; face sad, words happy")
    ]
    three["words"] = scores(happy=0.49)
    assert found(("A", 1, 4, answer)) == []
