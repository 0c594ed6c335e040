"""Metrics by name: scores of one system's rows, and two systems compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Unpack

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.manifest.labels import LabelSet
from emollama.scoring.metrics.bootstrap import Draws
from emollama.scoring.metrics.context import Context
from emollama.scoring.metrics.measure import Difference, Measure, Score, paired, scored_together
from emollama.scoring.metrics.registry import COMPARED, METRICS, REPORTED
from emollama.scoring.predictions.prediction import Prediction


def require_metric(name: str) -> str:
    """`name` when systems can be compared by it in a report, else an `EmollamaError`."""
    if name not in COMPARED:
        raise EmollamaError(f"metric '{name}' is unknown{did_you_mean(name, COMPARED)}")
    return name


def evaluate(
    rows: Sequence[Prediction],
    labels: LabelSet,
    names: Sequence[str] = REPORTED,
    **draws: Unpack[Draws],
) -> dict[str, Score]:
    """Scores by metric.

    Args:
        rows: one system's rows with one channel set; their order does not matter.
        labels: the label set.
        names: keys of `METRICS`.
        draws: see `Draws`.
    """
    alike: defaultdict[str, dict[str, Measure]] = defaultdict(dict)
    for name in names:
        metric = METRICS[name]
        alike[metric.needs][name] = metric.build(rows, Context(labels))
    found: dict[str, Score] = {}
    for measures in alike.values():
        found |= scored_together(measures, **draws)
    return {name: found[name] for name in names}


def paired_difference(
    a: Sequence[Prediction],
    b: Sequence[Prediction],
    metric: str,
    labels: LabelSet,
    **draws: Unpack[Draws],
) -> Difference:
    """Metric of `a` minus metric of `b` on the samples that both answered; see `paired`."""
    build = METRICS[require_metric(metric)].within(Context(labels))
    return paired(build, a, b, **draws)
