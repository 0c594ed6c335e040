"""What each kind of task is scored by: validation, keeping the best epoch, and a bench."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from emollama.scoring.metrics import formulas, regression
from emollama.scoring.metrics.label_scores import MSE_WEIGHT
from emollama.scoring.metrics.measure import Formula, Statistic
from emollama.scoring.metrics.registry import COMPARED, METRICS
from emollama.scoring.metrics.regression import Series

_OF_LABEL: dict[str, Formula] = {name: getattr(formulas, name) for name in COMPARED}
_OF_LABELS: dict[str, Formula] = {
    "macro_f1": formulas.macro_f1_multilabel, "micro_f1": formulas.micro_f1,
}  # fmt: skip
_OF_VALUES: dict[str, Formula] = {"ccc": regression.ccc, "mse": regression.mse}

_ORDER = ("uar", "weighted_f1", "accuracy", "macro_f1", "micro_f1", "ccc", "mse", "mer2023")
_OTHERS = {"ccc": "CCC", "mse": "MSE"}
TITLES = {n: _OTHERS.get(n) or METRICS[n].short or METRICS[n].title for n in _ORDER}
"""Of every metric of a task, in the order of a table."""
LOWER_IS_BETTER = ("mse",)


@dataclass(frozen=True)
class TaskCases:
    """Truth and answers of n samples, for what a task asks.

    Attributes:
        label: bool [n, K] each, one True a sample.
        labels: bool [n, K] each, any number a sample.
        values: of each quantity a series each, empty where truth or answer is not known.
    """

    label: tuple[np.ndarray, np.ndarray] | None = None
    labels: tuple[np.ndarray, np.ndarray] | None = None
    values: Mapping[str, tuple[Series, Series]] | None = None

    def statistics(self) -> dict[str, Statistic]:
        """Each metric as a function of weights [R, n]; CCC and MSE are means over quantities."""
        found: dict[str, Statistic] = {}
        if self.label is not None:
            found |= _bound(_OF_LABEL, *self.label)
        if self.labels is not None:
            found |= _bound(_OF_LABELS, *self.labels)
        if self.values is not None:
            each = [_bound(_OF_VALUES, *pair) for pair in self.values.values()]
            found |= {name: _mean([e[name] for e in each]) for name in _OF_VALUES}
        if "weighted_f1" in found and "mse" in found:
            f1, error = found["weighted_f1"], found["mse"]
            found["mer2023"] = lambda w: f1(w) - MSE_WEIGHT * error(w)
        return found

    def scores(self) -> dict[str, float]:
        """Each metric's value, and the CCC of each quantity as `ccc_<quantity>`."""
        held = [s for s in (self.label, self.labels, *(self.values or {}).values()) if s]
        every = np.ones((1, len(held[0][0]) if held else 0))
        found = {name: float(s(every)[0]) for name, s in self.statistics().items()}
        for name, pair in (self.values or {}).items():
            found[f"ccc_{name}"] = float(np.nan_to_num(regression.ccc(*pair, every))[0])
        return found


def better(metric: str, value: float) -> float:
    """A figure of which more is better."""
    return -value if metric in LOWER_IS_BETTER else value


def _bound(
    table: Mapping[str, Formula], truth: Series, answer: Series
) -> dict[str, Statistic]:  # fmt: skip
    def bind(formula: Formula) -> Statistic:
        return lambda weights: formula(truth, answer, weights)

    return {name: bind(formula) for name, formula in table.items()}


def _mean(statistics: Sequence[Statistic]) -> Statistic:
    """Mean over quantities; one of which nothing is known, or nothing agrees, counts as 0."""
    return lambda weights: np.mean([np.nan_to_num(s(weights)) for s in statistics], axis=0)
