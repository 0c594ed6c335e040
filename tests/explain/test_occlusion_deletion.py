"""Occlusion finds what was planted; deletion tells a true explanation from a made-up one."""

from __future__ import annotations

import numpy as np
import pytest

from emollama.explain.deletion import Deletion, deletion, verdicts
from emollama.explain.occlusion import lanes_of, occlusion_curve, windows
from emollama.runs.subject import Steps

from .made import Made

CLIPS = 40
PLANTED = np.random.default_rng(5).integers(0, 12, CLIPS)


def planted() -> Made:
    """In each clip one step makes the label; the others hardly matter."""

    def score(row: int, shown: np.ndarray, words: bool) -> float:
        return float(0.1 + 0.7 * shown[PLANTED[row]] + 0.1 * shown.mean())

    return Made(score, CLIPS)


def test_occlusion_finds_the_planted_step() -> None:
    model = planted()
    for row in range(CLIPS):
        (lane,) = lanes_of(model.steps(row))
        curve = occlusion_curve(model, row, lane, "happy")
        assert curve.importance.argmax() == PLANTED[row]
        assert curve.drop.max() == pytest.approx(0.7 + 0.1 / 12)
        assert curve.centres[curve.drop.argmax()] == pytest.approx(0.05 + 0.1 * PLANTED[row])


def test_a_wide_window_hides_what_lies_in_it_and_no_step_falls_between_two() -> None:
    steps = {"voice": Steps("voice", "voice", np.linspace(0, 20, 500))}
    (lane,) = lanes_of(steps)
    centres, width = windows(lane)
    assert len(centres) == 40 and width == pytest.approx(2.5)
    _, narrow = windows(lane, 0.01)
    assert (np.abs(lane.at[:, None] - centres).min(1) <= narrow / 2 + 1e-9).all()


def test_lanes_are_a_channels_timed_tracks_together_and_each_other_track_alone() -> None:
    steps = {
        "a": Steps("a", "voice", np.array([0.2, 0.6])),
        "b": Steps("b", "voice", np.array([0.1, 0.4, 0.9])),
        "whole": Steps("whole", "face", np.array([0.5])),
        "words": Steps("words", "words", np.zeros(3), ("so", "it", "is")),
    }
    voice, words = lanes_of(steps)
    assert voice.at.tolist() == [0.1, 0.2, 0.4, 0.6, 0.9]
    hidden = voice.hidden(np.array([False, True, True, False, False]))
    assert hidden["a"].tolist() == [True, False] and hidden["b"].tolist() == [False, True, False]
    assert words.name == "words" and words.words == ("so", "it", "is") and not words.timed


def deletions(explain: bool, seed: int = 0) -> list[Deletion]:
    model, found = planted(), []
    draw = np.random.default_rng(seed)
    for row in range(CLIPS):
        (lane,) = lanes_of(model.steps(row))
        importance = occlusion_curve(model, row, lane, "happy").importance
        if not explain:
            importance = draw.random(len(importance))
        held = deletion(model, row, lane, importance, "happy", f"clip {row}")
        assert held is not None
        found.append(held)
    return found


def test_deletion_tells_the_planted_explanation_from_a_random_one() -> None:
    own = deletions(True)
    assert own[0].share[[0, -1]].tolist() == [0, 1]
    assert own[0].explained[[0, -1]] == pytest.approx([0.9, 0.1])
    (true,) = verdicts({"voice": [(d.area, d.random_area) for d in own]})
    assert true.faithful and true.difference.value < -0.2
    assert "lowers the score faster than a random one: -0." in true.line()
    made_up = [
        verdicts({"voice": [(d.area, d.random_area) for d in deletions(False, seed)]})[0]
        for seed in range(12)
    ]
    # An interval of 95 % is wrong now and then; more than twice in twelve would be a bias.
    denied = [v for v in made_up if v.difference.ci_low < 0 < v.difference.ci_high]
    assert len(denied) >= 10 and not any(v.faithful for v in denied)
    assert "is not shown to lower the score faster" in denied[0].line()


def test_one_clip_is_no_evidence() -> None:
    (one,) = verdicts({"voice": [(0.1, 0.5)]})
    assert not one.faithful and one.to_dict()["ci_high"] is None and "no evidence" in one.line()


def test_equal_importance_is_not_the_order_of_time() -> None:
    """A model that reads the first steps only must not make ties look like an explanation."""
    model = Made(lambda row, shown, words: float(0.1 + 0.8 * shown[:3].mean()), CLIPS)
    pairs = []
    for row in range(CLIPS):
        (lane,) = lanes_of(model.steps(row))
        held = deletion(model, row, lane, np.zeros(12), "happy", f"clip {row}")
        assert held is not None
        pairs.append((held.area, held.random_area))
    (flat,) = verdicts({"voice": pairs})
    assert flat.difference.ci_low < 0 < flat.difference.ci_high
