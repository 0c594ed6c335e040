"""Formulas over numbers: concordance, correlation, errors, and sentiment cut into classes.

Truth and answers are series: an array [T] of each of n samples, of one number where a sample has
one, empty where it is not known. Sums run over all numbers of all samples as one sequence; weights
[R, n] say how often each sample counts. Results are [R].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from emollama.scoring.metrics.formulas import mean, ratio

Series = Sequence[np.ndarray] | np.ndarray
"""An array [T] of each of n samples."""
ROUNDING = 1e-14
"""Of a mean square: a variance below this share of it is none."""


@dataclass(frozen=True)
class _Moments:
    """Weighted means of numbers about a centre of each side, float [R].

    `x` and `y` are the centred means of answers and truths, `gap` the centre of the answers minus
    that of the truths.
    """

    x: np.ndarray
    y: np.ndarray
    var_x: np.ndarray
    var_y: np.ndarray
    cov: np.ndarray
    gap: float


def _moments(truth: Series, answer: Series, weights: np.ndarray) -> _Moments:
    sums = np.zeros((len(truth), 6))
    left = right = 0.0
    if len(truth):
        # Sums of squares of far-off numbers would lose digits.
        left, right = (_centre(np.concatenate(list(side))) for side in (answer, truth))
    for i, (x, y) in enumerate(zip(answer, truth, strict=True)):
        p, q = x - left, y - right
        sums[i] = len(x), p.sum(), q.sum(), (p * p).sum(), (q * q).sum(), (p * q).sum()
    total = weights @ sums
    x, y, xx, yy, xy = (ratio(total[:, k], total[:, 0]) for k in range(1, 6))
    # A draw of one value over and over has variance 0, but for the rounding of its square.
    var_x, var_y = (
        np.where(square - m * m <= ROUNDING * square, 0.0, square - m * m)
        for m, square in ((x, xx), (y, yy))
    )
    return _Moments(x, y, var_x, var_y, xy - x * y, left - right)


def _centre(values: np.ndarray) -> float:
    """The mean, and of equal values the value itself, which their rounded mean need not be."""
    if not len(values):
        return 0.0
    return float(values[0] if (values == values[0]).all() else values.mean())


def ccc(truth: Series, answer: Series, weights: np.ndarray) -> np.ndarray:
    """Concordance: 2 cov / (var x + var y + (mean x - mean y)^2), population (co)variances.

    Lin (1989); not the mean of clips' CCCs. NaN where both are constant and equal.
    """
    m = _moments(truth, answer, weights)
    return ratio(2 * m.cov, m.var_x + m.var_y + (m.x - m.y + m.gap) ** 2)


def pearson(truth: Series, answer: Series, weights: np.ndarray) -> np.ndarray:
    """Pearson's r; NaN where answers or truths are all the same."""
    m = _moments(truth, answer, weights)
    return ratio(m.cov, np.sqrt(m.var_x * m.var_y))


def mae(truth: Series, answer: Series, weights: np.ndarray) -> np.ndarray:
    """Mean absolute error, in the quantity's own unit."""
    return _mean_error(truth, answer, weights, np.abs)


def mse(truth: Series, answer: Series, weights: np.ndarray) -> np.ndarray:
    """Mean squared error, in the square of the quantity's unit."""
    return _mean_error(truth, answer, weights, np.square)


def _mean_error(
    truth: Series, answer: Series, weights: np.ndarray, size: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    sums = np.array([(len(x), size(x - y).sum()) for x, y in zip(answer, truth, strict=True)])
    total = weights @ sums.reshape(-1, 2)
    return ratio(total[:, 1], total[:, 0])


def same_class(
    truth: Series,
    answer: Series,
    weights: np.ndarray,
    *,
    graded: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Share of samples, one number each, whose answer is `graded` as the truth is."""
    x, y = (graded(np.concatenate(list(side) or [np.zeros(0)])) for side in (answer, truth))
    return mean((x == y).astype(float), weights)


def rounded_within(bound: float) -> Callable[[np.ndarray], np.ndarray]:
    """MMSA's grades: clipped to -bound..bound and rounded, halves to the even number."""
    return lambda values: np.rint(np.clip(values, -bound, bound))


def between(*cuts: float) -> Callable[[np.ndarray], np.ndarray]:
    """SIMS' grades: which two cuts a number lies between; one on a cut belongs below it."""
    return lambda values: np.digitize(values, cuts, right=True)
