"""Values with intervals, and differences of two systems: the one way to get either.

Whatever a metric is (F1, a correlation, a mean over wheels), it is written once, as a function of
weights over the rows. Its value is the function at weights 1, its interval the function at
bootstrap weights, a paired difference two such functions at the same weights.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Unpack, get_args

import numpy as np

from emollama.base.errors import EmollamaError, require_known
from emollama.scoring.metrics.bootstrap import (
    RESAMPLES,
    By,
    Draws,
    interval,
    resample,
    two_sided_p,
)
from emollama.scoring.metrics.formulas import mean
from emollama.scoring.predictions.prediction import Prediction

NO_ANSWER = "no answer"
_TRUTHS = (
    "reference", "reference_labels", "reference_values", "reference_votes", "reference_words",
    "reference_reason",
)  # fmt: skip
Statistic = Callable[[np.ndarray], np.ndarray]
"""Weights [R, n] over the rows to values [R]; NaN where a draw leaves the metric undefined."""
Groups = Sequence[str | None] | None
"""The group of each row, where whole groups may be drawn."""
_Bounds = tuple[float | None, float | None, float | None]
"""Value, and the ends of its interval."""
Formula = Callable[[Any, Any, np.ndarray], np.ndarray]
"""Truth and answers of n rows and weights [R, n] to values [R]."""


@dataclass(frozen=True)
class Score:
    """A metric's value with its 95 % bootstrap interval and what it was computed over.

    Attributes:
        value: None, as the interval is, where nothing could be scored or the result is undefined.
        n_scored: rows that it was computed over.
        n_total: rows given, those that could not be scored included.
        failures: rows without a usable answer, by reason. Whether they are scored as wrong (a
            label) or left out (a number) is the metric's own convention, said in docs/metrics.md.
        detail: further facts for the JSON (values per wheel, per class, thresholds).
        note: one sentence that a reader of the table needs.
    """

    value: float | None
    n_scored: int
    n_total: int
    ci_low: float | None = None
    ci_high: float | None = None
    failures: dict[str, int] = field(default_factory=dict)
    detail: dict[str, object] = field(default_factory=dict)
    note: str = ""

    @property
    def parse_failures(self) -> int:
        """Rows without a usable answer."""
        return sum(self.failures.values())

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as a report holds it."""
        return {
            "value": self.value, "n_scored": self.n_scored, "n_total": self.n_total,
            "parse_failures": self.parse_failures, "ci_low": self.ci_low, "ci_high": self.ci_high,
        }  # fmt: skip


@dataclass(frozen=True)
class Difference:
    """Metric of a minus metric of b over the n rows both can be scored on, by paired bootstrap.

    All but n are NaN where the difference is undefined.
    """

    value: float
    ci_low: float
    ci_high: float
    p: float
    n: int

    def to_dict(self) -> dict[str, Any]:
        """Plain data: None where the difference is undefined."""
        return {k: None if v != v else v for k, v in vars(self).items()}


NO_DIFFERENCE = Difference(np.nan, np.nan, np.nan, np.nan, 0)
"""Where one of two systems has no row to score."""


@dataclass(frozen=True)
class Measure:
    """A metric bound to its n rows, which are in order of id; the rest as in `Score`.

    `empty` is the value where there is no row, for the one published metric that has one. `nothing`
    says why there is none although rows hold the truth; it is "" where no row holds it.
    """

    rows: tuple[Prediction, ...]
    statistic: Statistic
    n_total: int
    failures: dict[str, int] = field(default_factory=dict)
    detail: dict[str, object] = field(default_factory=dict)
    note: str = ""
    empty: float | None = None
    nothing: str = ""

    def value(self) -> float | None:
        """The metric over all rows; None where nothing can be scored or the result is NaN."""
        if not self.rows:
            return self.empty
        value = float(self.statistic(np.ones((1, len(self.rows))))[0])
        return None if np.isnan(value) else value

    def units(self, draws: Draws) -> np.ndarray:
        """What a resample draws, as `units_of`."""
        by = draws.get("by", "sample")
        return units_of([r.id for r in self.rows], [r.group for r in self.rows], by)


@dataclass(frozen=True)
class Cases:
    """What a formula is computed on: rows in order of id, their truth and their answers.

    `nothing` is as in `Measure`.
    """

    rows: tuple[Prediction, ...]
    truth: Any
    answer: Any
    n_total: int
    failures: dict[str, int] = field(default_factory=dict)
    detail: dict[str, object] = field(default_factory=dict)
    note: str = ""
    nothing: str = ""

    def measure(self, formula: Formula) -> Measure:
        """A formula bound to these cases."""
        return self.bound(lambda w: formula(self.truth, self.answer, w))

    def bound(self, statistic: Statistic, **detail: object) -> Measure:
        """A statistic of these cases' weights, with further facts for the JSON."""
        return Measure(
            self.rows, statistic, self.n_total, self.failures, {**self.detail, **detail}, self.note,
            nothing=self.nothing,
        )  # fmt: skip


def units_of(ids: Sequence[str], groups: Sequence[str | None], by: By) -> np.ndarray:
    """What a resample draws, int [n]: each row its own unit, or its group's code.

    Raises:
        EmollamaError: groups are asked for and a row has none.
    """
    require_known("by", by, get_args(By))
    if by == "sample":
        return np.arange(len(ids))
    for name, group in zip(ids, groups, strict=True):
        if group is None:
            raise EmollamaError(f"id '{name}' has no group; resample by sample instead")
    return np.unique(np.array(groups, dtype=str), return_inverse=True)[1]


def in_order(rows: Iterable[Prediction]) -> list[Prediction]:
    """Rows by id, so that the order of a file changes nothing.

    Raises:
        EmollamaError: an id that occurs twice.
    """
    ordered = sorted(rows, key=lambda r: r.id)
    for a, b in pairwise(ordered):
        if a.id == b.id:
            raise EmollamaError(
                f"id '{a.id}' occurs twice; score one system and one channel set at a time"
            )
    return ordered


def count_failures(rows: Iterable[Prediction]) -> dict[str, int]:
    """Rows by their `parse_failure`; `NO_ANSWER` where they do not say why."""
    return dict(sorted(Counter(r.parse_failure or NO_ANSWER for r in rows).items()))


def estimates(
    statistics: Sequence[Statistic], units: np.ndarray, draws: Draws
) -> tuple[np.ndarray, np.ndarray]:
    """Values [k] of k statistics at weights 1, and [R, k] at the same bootstrap weights."""

    def every(weights: np.ndarray) -> np.ndarray:
        return np.stack([s(weights) for s in statistics], axis=1)

    resamples, seed = draws.get("resamples", RESAMPLES), draws.get("seed", 0)
    return every(np.ones((1, len(units))))[0], resample(every, units, resamples, seed)


def scored(measure: Measure, **draws: Unpack[Draws]) -> Score:
    """Value and interval of a measure; no interval where the value does not exist."""
    return scored_together({"": measure}, **draws)[""]


def scored_together(measures: Mapping[str, Measure], **draws: Unpack[Draws]) -> dict[str, Score]:
    """Value and interval of measures of the same rows, from one set of draws."""
    first = next(iter(measures.values()))
    bounds: list[_Bounds] = [(m.empty, None, None) for m in measures.values()]
    if first.rows:
        statistics = [m.statistic for m in measures.values()]
        values, drawn = estimates(statistics, first.units(draws), draws)
        bounds = [ends(v, d) for v, d in zip(values, drawn.T, strict=True)]
    return {
        name: Score(
            value, len(m.rows), m.n_total, low, high, m.failures, m.detail, m.nothing or m.note
        )
        for (name, m), (value, low, high) in zip(measures.items(), bounds, strict=True)
    }  # fmt: skip


def paired(
    build: Callable[[Sequence[Prediction]], Measure],
    a: Sequence[Prediction],
    b: Sequence[Prediction],
    **draws: Unpack[Draws],
) -> Difference:
    """Metric of `a` minus metric of `b`, both over the same resampled rows.

    Args:
        build: rows to the metric over them.
        a: rows of one system.
        b: rows of the other; those that only one of them can be scored on are left out.
        draws: see `Draws`.

    Raises:
        EmollamaError: no row that both can be scored on, or two truths of one sample.
    """
    ids = {r.id for r in build(a).rows} & {r.id for r in build(b).rows}
    if not ids:
        raise EmollamaError("the two sets of predictions have no scored sample in common")
    left, right = ([r for r in in_order(x) if r.id in ids] for x in (a, b))
    for x, y in zip(left, right, strict=True):
        for truth in _TRUTHS:
            here, there = getattr(x, truth), getattr(y, truth)
            # What only one file knows says nothing against the other.
            if here is not None and there is not None and here != there:
                raise EmollamaError(
                    f"id '{x.id}' has {truth} {here!r} in one set of predictions and {there!r} in "
                    "the other"
                )
    first, second = build(left), build(right)
    return difference_of(first.statistic, second.statistic, first.units(draws), draws)


def difference_of(
    first: Statistic, second: Statistic, units: np.ndarray, draws: Draws
) -> Difference:
    """One statistic minus another at the same weights."""
    (value,), drawn = estimates([lambda w: first(w) - second(w)], units, draws)
    return difference_from(value, drawn[:, 0], len(units))


def difference_from(value: float, drawn: np.ndarray, n: int) -> Difference:
    """A difference over n samples from its value and resampled values [R]; NaN is left out."""
    drawn = drawn[~np.isnan(drawn)]
    if np.isnan(value) or not len(drawn):
        return Difference(np.nan, np.nan, np.nan, np.nan, n)
    low, high = interval(drawn)
    return Difference(float(value), float(low), float(high), two_sided_p(drawn), n)


def mean_score(
    values: np.ndarray,
    n_total: int,
    failures: Mapping[str, int] | None = None,
    groups: Groups = None,
    **draws: Unpack[Draws],
) -> Score:
    """The mean of per-sample values [n] with its interval; samples are drawn without `groups`."""
    value, low, high = None, None, None
    if len(values):
        units = _units(len(values), groups, draws)
        (point,), drawn = estimates([lambda w: mean(values, w)], units, draws)
        value, low, high = ends(point, drawn[:, 0])
    return Score(value, len(values), n_total, low, high, dict(failures or {}))


def mean_difference(
    a: np.ndarray, b: np.ndarray, groups: Groups = None, **draws: Unpack[Draws]
) -> Difference:
    """Mean of `a` minus mean of `b`, both [n] over the same samples, as `mean_score`."""
    units = _units(len(a), groups, draws)
    return difference_of(lambda w: mean(a, w), lambda w: mean(b, w), units, draws)


def _units(n: int, groups: Groups, draws: Draws) -> np.ndarray:
    by = "sample" if groups is None else draws.get("by", "sample")
    return units_of([str(i) for i in range(n)], groups or [None] * n, by)


def ends(value: float, drawn: np.ndarray) -> _Bounds:
    """Value and interval from resampled values [R]; None where the value is undefined."""
    if np.isnan(value):
        return None, None, None
    low, high = interval(drawn)
    return float(value), float(low), float(high)
