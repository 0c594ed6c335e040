"""Shapley values of the modalities, exact over all subsets.

Each modality's value is its marginal contribution to the label score, averaged over all orders in
which the modalities can be added (Shapley 1953; as an attribution: Lundberg & Lee 2017). The values
add up to the score with everything minus the score with nothing. A modality that a sample lacks
contributes 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from math import factorial

import numpy as np

from emollama.runs.subject import Subject, View, distinct_scores, log_odds

MOST_MODALITIES = 4
Subset = frozenset[str]


@dataclass(frozen=True)
class Attribution:
    """The attribution of one label's score.

    Attributes:
        label: the label.
        full: the score with all modalities of the sample; `empty` with none.
        probability: Shapley value of each modality, in probability.
        log_odds: the same of the score's log-odds.
        table: the label's probability for every subset of the sample's modalities.
    """

    label: str
    full: float
    empty: float
    probability: dict[str, float]
    log_odds: dict[str, float]
    table: dict[Subset, float]


def subsets(names: Sequence[str]) -> list[Subset]:
    """All subsets, the empty one first."""
    return [frozenset(c) for n in range(len(names) + 1) for c in combinations(names, n)]


def shapley_values(names: Sequence[str], value: Mapping[Subset, float]) -> dict[str, float]:
    """Exact Shapley values of a game over `names` whose subsets have these values."""
    count = len(names)
    found = {}
    for name in names:
        others = [n for n in names if n != name]
        total = 0.0
        for subset in subsets(others):
            size = len(subset)
            weight = factorial(size) * factorial(count - size - 1) / factorial(count)
            total += weight * (value[subset | {name}] - value[subset])
        found[name] = total
    return found


def subset_scores(subject: Subject, row: int) -> dict[Subset, np.ndarray]:
    """Label scores [K] for every subset of a sample's modalities."""
    shown = subject.present(row)
    names = [m.name for m in subject.modalities if m.name in shown]
    every = subsets(names)
    scores = distinct_scores(subject, [View(row, subset) for subset in every])
    return dict(zip(every, scores, strict=True))


def attribution(
    subject: Subject, row: int, scores: Mapping[Subset, np.ndarray], label: str
) -> Attribution:
    """Attribute one label's score to the modalities, from `subset_scores`."""
    column = subject.labels.index(label)
    table = {subset: float(found[column]) for subset, found in scores.items()}
    shown = subject.present(row)
    names = [m.name for m in subject.modalities if m.name in shown]
    odds = {s: float(log_odds(np.array(p))) for s, p in table.items()}
    lacking = {m.name: 0.0 for m in subject.modalities}
    return Attribution(
        label=label,
        full=table[frozenset(names)],
        empty=table[frozenset()],
        probability=lacking | shapley_values(names, table),
        log_odds=lacking | shapley_values(names, odds),
        table=table,
    )


def deletion_by_modality(found: Attribution) -> tuple[float, float] | None:
    """Areas under the score as modalities are removed: by decreasing value, and in random order.

    The second is the exact mean over all orders. None if the sample has fewer than two.
    """
    names = max(found.table, key=len)
    if len(names) < 2:
        return None
    ranked = sorted(names, key=lambda n: (-found.probability[n], n))
    areas = [_area(found.table, order) for order in permutations(sorted(names))]
    return _area(found.table, ranked), float(np.mean(areas))


def _area(table: Mapping[Subset, float], order: Sequence[str]) -> float:
    scores = [table[frozenset(order[k:])] for k in range(len(order) + 1)]
    return float(np.trapezoid(scores, dx=1 / len(order)))
