"""Shapley values: what the axioms demand, on games whose values are known."""

from __future__ import annotations

import numpy as np
import pytest

from emollama.runs.shapley import (
    attribution,
    deletion_by_modality,
    shapley_values,
    subset_scores,
    subsets,
)

from .made import Made

NAMES = ("voice", "face", "words", "context")


def test_an_additive_game_gives_each_its_own_worth() -> None:
    worth = {"voice": 0.3, "face": -0.1, "words": 0.2, "context": 0.0}
    value = {s: 0.1 + sum(worth[n] for n in s) for s in subsets(NAMES)}
    assert shapley_values(NAMES, value) == pytest.approx(worth)


def test_efficiency_symmetry_and_null_of_any_game() -> None:
    draw = np.random.default_rng(0)
    free = {s: float(draw.random()) for s in subsets(NAMES)}
    total = sum(shapley_values(NAMES, free).values())
    assert total == pytest.approx(free[frozenset(NAMES)] - free[frozenset()])
    # Worth by size alone: all alike, though marginal contributions differ by what is there.
    alike = shapley_values(NAMES, {s: len(s) ** 2 / 16 for s in subsets(NAMES)})
    assert list(alike.values()) == pytest.approx([0.25] * 4)
    # The face changes nothing: it gets nothing.
    idle = {s: free[s - {"face"}] for s in subsets(NAMES)}
    assert shapley_values(NAMES, idle)["face"] == pytest.approx(0)


def test_values_add_up_in_probability_and_in_log_odds_and_rank_the_deletion() -> None:
    model = Made(lambda _, shown, words: 0.1 + 0.6 * bool(shown.any()) + 0.2 * words)
    found = attribution(model, 0, subset_scores(model, 0), "happy")
    assert found.probability == pytest.approx({"voice": 0.6, "words": 0.2})
    odds = np.log(0.9 / 0.1) - np.log(0.1 / 0.9)
    assert sum(found.log_odds.values()) == pytest.approx(odds)
    assert model.asked == 4
    # Areas of .9 -> .3 -> .1 and .9 -> .7 -> .1, half each at random.
    assert deletion_by_modality(found) == pytest.approx((0.4, (0.4 + 0.6) / 2))
