"""Scores of scenes, on a scene small enough to be counted by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.recordings import scores
from benchmarks.recordings.found import Answer, Cell, Found, read_cell, write_cell
from emollama.probe.scene_truth import SceneTruth, Shown, TrueSegment, TrueTurn

SEGMENTS = (
    TrueSegment(1.0, 4.0, "03", "sad", "sadness", "clip-1", {"voice": "sad"}),
    TrueSegment(5.0, 9.0, "09", "happy", "happiness", "clip-2", {"voice": "happy"}),
)
TRUTH = SceneTruth(
    "x.mp4", "ravdess", "side by side", 12.0, ("03", "09"), "people",
    (TrueTurn(1.0, 4.0, "03"), TrueTurn(5.0, 9.0, "09")), SEGMENTS, (),
    (Shown(0.0, 12.0, "03", (0.0, 0.0, 0.5, 1.0)), Shown(0.0, 12.0, "09", (0.5, 0.0, 1.0, 1.0))),
)  # fmt: skip
SAD, HAPPY = {"sad": 0.9, "happy": 0.1}, {"sad": 0.2, "happy": 0.8}
FOUND = Found(
    turns=((1.0, 4.0, "A"), (5.0, 7.0, "B"), (7.0, 9.0, "A")),
    counted=((1.0, 4.0, "A"), (5.0, 9.0, "B")),
    true_speech=((1.0, 4.0, "A"), (5.0, 9.0, "A")),
    faces={
        "A": tuple((float(t), 0.2, 0.5) for t in range(12)),
        "B": tuple((float(t), 0.8, 0.5) for t in range(12)),
    },
    cuts=(),
    answers=(
        Answer(0.8, 4.4, "A", SAD, HAPPY), Answer(5.0, 7.0, "B", SAD, HAPPY),
        Answer(7.0, 9.8, "A", HAPPY),
    ),
    true_answers=(Answer(1.0, 4.0, "03", SAD, HAPPY), Answer(5.0, 9.0, "09", SAD, HAPPY)),
)  # fmt: skip
CELL: Cell = [(TRUTH, FOUND)]


def test_who_spoke_when_with_a_collar_of_an_eighth_of_a_second_to_each_side() -> None:
    unknown = scores.turn_errors(CELL, lambda found: found.turns)[0]
    assert unknown.total == pytest.approx(3.0 + 4.0 - 4 * 0.125)
    assert unknown.confused == pytest.approx(2.0 - 0.125)
    assert scores.turn_errors(CELL, lambda found: found.counted)[0].rate == pytest.approx(0)


def test_emotion_is_wrong_where_the_person_or_the_label_is() -> None:
    """With the norm: 1 to 4 right; 5 to 7 the wrong label; 7 to 9 the wrong person."""
    assert scores.emotion_over_time(CELL, True) == [(pytest.approx(4.0), pytest.approx(7.0))]
    assert scores.emotion_over_time(CELL, False) == [(pytest.approx(5.0), pytest.approx(7.0))]
    assert scores.emotion_over_time(CELL, True, ("03",)) == [(pytest.approx(0), pytest.approx(3.0))]
    assert scores.emotion_of_true_segments(CELL, True) == [(4.0, 7.0)]
    assert scores.one_label(CELL) == [(3.0, 7.0)]
    assert scores.recall_of_labels(CELL, True)(np.ones((1, 1)))[0] == 0.5


def test_a_label_that_the_model_calls_otherwise() -> None:
    worried = replace(TRUTH, segments=(replace(SEGMENTS[0], emotion="worried"), SEGMENTS[1]))
    fear = {"fear": 0.9, "happy": 0.1}
    found = replace(FOUND, true_answers=(Answer(1.0, 4.0, "03", fear), FOUND.true_answers[1]))
    assert scores.emotion_of_true_segments([(worried, found)], True) == [(4.0, 7.0)]


def test_a_name_that_passes_to_another_face_is_a_switch_and_speaks_wrongly() -> None:
    assert scores.identity_switches(CELL) == [(0.0, pytest.approx(0.02))]
    assert scores.active_speaker(CELL) == [(pytest.approx(5.0), pytest.approx(7.0))]
    swapped = {
        "A": (*FOUND.faces["A"][:9], (9.0, 0.8, 0.5)),
        "B": (*FOUND.faces["B"][:9], (9.0, 0.2, 0.5)),
    }
    assert scores.identity_switches([(TRUTH, replace(FOUND, faces=swapped))])[0][0] == 2


def test_boundaries_are_those_of_utterances() -> None:
    """True are 1, 4, 5, 9; found .8, 4.4, 5, 7, 9.8, of which three are met."""
    assert scores.boundaries(CELL) == [(6.0, 9.0)]


def test_a_cell_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    write_cell(path, CELL)
    assert read_cell(path) == CELL


def test_an_interval_is_over_scenes() -> None:
    found = scores.score(scores.ratio([(1.0, 10.0), (3.0, 10.0)]), 2)
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.1, 0.3))
    assert str(scores.score(scores.ratio([(0.0, 0.0)]), 1)) == "–"
