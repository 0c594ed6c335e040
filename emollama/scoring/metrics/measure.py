"""A metric over one set of rows, as a function of how often each row was drawn.

Whatever a metric is (F1, a correlation, a mean over wheels), it is written once, as a function of
weights over the rows. Its value is the function at weights 1, its interval the function at
bootstrap weights, a paired difference two such functions at the same weights.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.scoring.metrics.bootstrap import RESAMPLES, By, interval, resample, two_sided_p
from emollama.scoring.predictions.prediction import Prediction

NO_ANSWER = "no answer"
_TRUTHS = (
    "reference", "reference_labels", "reference_values", "reference_words", "reference_reason",
)  # fmt: skip
Statistic = Callable[[np.ndarray], np.ndarray]
"""Weights [r, n] over the rows to values [r]; NaN where a draw leaves the metric undefined."""


@dataclass(frozen=True)
class Measure:
    """A metric bound to its rows.

    Attributes:
        rows: the n rows it is computed over, in order of id.
        statistic: weights [r, n] to values [r].
        n_total: rows given, those that could not be scored included.
        failures: rows without a usable answer, by reason; whether they are scored as wrong (a
            label) or left out (a number) is the metric's own convention, said in `docs`.
        detail: further facts for the JSON (values per wheel, per class, thresholds).
        note: one sentence that a reader of the table needs.
        empty: the value where there is no row, for the one published metric that has one.
    """

    rows: tuple[Prediction, ...]
    statistic: Statistic
    n_total: int
    failures: dict[str, int] = field(default_factory=dict)
    detail: dict[str, object] = field(default_factory=dict)
    note: str = ""
    empty: float | None = None

    def value(self) -> float | None:
        """The metric over all rows; None where nothing can be scored or the result is NaN."""
        if not self.rows:
            return self.empty
        point = float(self.statistic(np.ones((1, len(self.rows))))[0])
        return None if np.isnan(point) else point

    def units(self, by: By) -> np.ndarray:
        """What a resample draws, int [n]: each row its own unit, or its group's code."""
        if by == "sample":
            return np.arange(len(self.rows))
        for row in self.rows:
            if row.group is None:
                raise EmollamaError(f"id '{row.id}' has no group; resample by sample instead")
        return np.unique([str(r.group) for r in self.rows], return_inverse=True)[1]


@dataclass(frozen=True)
class Result:
    """A metric's value with its 95 % bootstrap interval and what it was computed over."""

    metric: str
    value: float | None
    ci_low: float | None
    ci_high: float | None
    n_scored: int
    n_total: int
    failures: dict[str, int]
    detail: dict[str, object]
    note: str


@dataclass(frozen=True)
class Paired:
    """Metric of A minus metric of B over the n rows both can be scored on, by paired bootstrap."""

    metric: str
    value: float | None
    ci_low: float | None
    ci_high: float | None
    p: float | None
    n: int


def in_order(rows: Iterable[Prediction]) -> list[Prediction]:
    """Rows by id, so that the order of a file changes nothing.

    Raises:
        EmollamaError: an id that stands twice.
    """
    ordered = sorted(rows, key=lambda r: r.id)
    for a, b in pairwise(ordered):
        if a.id == b.id:
            raise EmollamaError(
                f"id '{a.id}' stands twice; score one system and one channel set at a time"
            )
    return ordered


def count_failures(rows: Iterable[Prediction]) -> dict[str, int]:
    """Rows by their `parse_failure`; `NO_ANSWER` where they do not say why."""
    return dict(sorted(Counter(r.parse_failure or NO_ANSWER for r in rows).items()))


def ratio(top: np.ndarray, bottom: np.ndarray, empty: float = np.nan) -> np.ndarray:
    """`top / bottom`, and `empty` where `bottom` is 0."""
    top, bottom = np.broadcast_arrays(np.asarray(top, float), np.asarray(bottom, float))
    return np.divide(top, bottom, out=np.full(top.shape, empty), where=bottom != 0)


def scored(
    name: str,
    measure: Measure,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    by: By = "sample",
) -> Result:
    """Value and interval of a measure; no interval where the value does not exist."""
    value = measure.value()
    low = high = None
    if value is not None and measure.rows:
        drawn = resample(measure.statistic, measure.units(by), resamples, seed)
        low, high = (float(x) for x in interval(drawn))
    return Result(
        name, value, low, high, len(measure.rows), measure.n_total, measure.failures,
        measure.detail, measure.note,
    )  # fmt: skip


def paired(
    name: str,
    build: Callable[[Sequence[Prediction]], Measure],
    a: Sequence[Prediction],
    b: Sequence[Prediction],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    by: By = "sample",
) -> Paired:
    """Metric of `a` minus metric of `b`, both over the same resampled rows.

    Args:
        name: of the metric, for the result.
        build: rows to the metric over them.
        a: rows of one system.
        b: rows of the other.
        resamples: number of bootstrap resamples.
        seed: seed of the resampling.
        by: draw rows, or whole groups.

    Raises:
        EmollamaError: no row that both can be scored on, or two truths of one sample.
    """
    ids = {r.id for r in build(a).rows} & {r.id for r in build(b).rows}
    if not ids:
        raise EmollamaError(f"{name}: the two files have no scored sample in common")
    left, right = ([r for r in in_order(x) if r.id in ids] for x in (a, b))
    for x, y in zip(left, right, strict=True):
        for truth in _TRUTHS:
            here, there = getattr(x, truth), getattr(y, truth)
            # What only one file knows says nothing against the other.
            if here is not None and there is not None and here != there:
                raise EmollamaError(
                    f"id '{x.id}' has another {truth} in one file than in the other"
                )
    first, second = build(left), build(right)

    def difference(weights: np.ndarray) -> np.ndarray:
        return first.statistic(weights) - second.statistic(weights)

    value = float(difference(np.ones((1, len(first.rows))))[0])
    if np.isnan(value):
        return Paired(name, None, None, None, None, len(first.rows))
    drawn = resample(difference, first.units(by), resamples, seed)
    drawn = drawn[~np.isnan(drawn)]
    low, high = interval(drawn)
    return Paired(name, value, float(low), float(high), two_sided_p(drawn), len(first.rows))
