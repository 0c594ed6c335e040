"""The percentile bootstrap, vectorised: a resample is a row of weights over the samples.

Drawing n samples with replacement gives each sample a count; a statistic of the resample is a
statistic of the counted samples. So all resamples are one matrix [R, n], and a statistic that is
linear in the counts (a confusion matrix, a sum of losses) is one matrix product.
Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapters 13 and 16.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypedDict

import numpy as np

RESAMPLES = 1000
LEVEL = 0.95
By = Literal["sample", "group"]


class Draws(TypedDict, total=False):
    """How a bootstrap draws, as options of whatever gives an interval.

    `resamples` (1,000); `seed` (0); `by` "sample", or whole "group"s (speakers): the honest
    interval for new speakers, but one that needs a dozen groups or more to mean much.
    """

    resamples: int
    seed: int
    by: By


_ELEMENTS = 16_000_000
"""Weights held at once; more resamples than fit are drawn in turns."""


def resample(
    statistic: Callable[[np.ndarray], np.ndarray],
    units: np.ndarray,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> np.ndarray:
    """Values [R, ...] of `statistic` over `resamples` draws with replacement.

    Args:
        statistic: maps weights [r, n] (how often each of n samples was drawn) to [r, ...].
        units: int [n], the unit each sample belongs to, 0..u-1. `arange(n)` draws samples; group
            codes draw whole groups, as many as there are.
        resamples: R.
        seed: the draws depend on it, on n and on u, and on nothing else.
    """
    rng = np.random.default_rng(seed)
    count = int(units.max()) + 1
    parts = []
    turn = max(1, _ELEMENTS // max(len(units), count))
    for start in range(0, resamples, turn):
        rows = min(turn, resamples - start)
        drawn = rng.integers(0, count, size=(rows, count))
        drawn += np.arange(rows)[:, None] * count
        weights = np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count)
        parts.append(statistic(weights[:, units].astype(np.float64)))
    return np.concatenate(parts)


def interval(values: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval (low, high) over the first axis of resampled values; NaN passed over."""
    tail = (1 - level) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail], axis=0)
    return low, high


def two_sided_p(differences: np.ndarray) -> float:
    """Two-sided p of 'no difference' from resampled differences [R].

    Twice the smaller share of resamples on either side of 0, ties on both sides, with one added
    to both counts so that p is never 0 (Davison & Hinkley, 1997, section 4.2): the smallest p
    that R resamples can show is 2 / (R + 1).
    """
    total = len(differences) + 1
    below = int((differences <= 0).sum()) + 1
    above = int((differences >= 0).sum()) + 1
    return min(1.0, 2 * min(below, above) / total)
