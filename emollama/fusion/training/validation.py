"""Scores of a validation split, and the metric that selects the best epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from emollama.base.errors import require_known
from emollama.fusion.configuration import FusionTask, TaskKind
from emollama.fusion.data.data import FusionData
from emollama.fusion.readout import Answers
from emollama.inputs.mixture import Mixture
from emollama.manifest.sample import Manifest
from emollama.scoring.metrics.formulas import one_hot
from emollama.scoring.metrics.tasks import TaskCases
from emollama.scoring.metrics.thresholds import best_threshold

Select = Literal[
    "auto", "weighted_f1", "uar", "macro_f1", "micro_f1", "accuracy", "ccc", "mse", "mer2023"
]
_LABEL: tuple[Select, ...] = ("weighted_f1", "uar", "macro_f1", "accuracy")
SELECTABLE: dict[TaskKind, tuple[Select, ...]] = {
    "label": ("auto", *_LABEL),
    "labels": ("auto", "macro_f1", "micro_f1"),
    "values": ("auto", "ccc", "mse"),
    "label+values": ("auto", "mer2023", *_LABEL, "ccc", "mse"),
    "frames": ("auto", "ccc", "mse"),
}
"""Metrics that can select the best epoch."""

AUTO: dict[TaskKind, Select] = {
    "label": "weighted_f1",
    "labels": "macro_f1",
    "values": "ccc",
    "label+values": "mer2023",
    "frames": "ccc",
}


@dataclass(frozen=True)
class Validation:
    """Scores by metric, and for several labels the thresholds used."""

    scores: dict[str, float]
    thresholds: dict[str, float]


def selected(task: FusionTask, select: Select) -> str:
    """The metric requested, or the one that "auto" means for a task."""
    require_known("metric", select, get_args(Select))
    return AUTO[task.kind] if select == "auto" else select


def validate(
    task: FusionTask, labels: Sequence[str], found: Answers, data: FusionData
) -> Validation:
    """Score answers against the targets of `data`; unknown targets are ignored.

    F1 and UAR are over the labels in the references; for several labels, each uses the threshold
    fitted on these samples. CCC and MSE are means over the values, each over all samples (or all
    frames of all samples as one sequence).
    """
    thresholds: dict[str, float] = {}
    targets = data.targets.whole
    if found.labels is not None and task.kind == "labels":
        target = targets["labels"]
        truth, known = target.values.numpy() > 0, target.valid.numpy()
        shown = np.zeros_like(truth)
        for k, label in enumerate(labels):
            rows = known[:, k]
            thresholds[label] = best_threshold(truth[rows, k], found.labels[rows, k])
            shown[:, k] = (found.labels[:, k] >= thresholds[label]) & rows
        cases = TaskCases(labels=(truth & known, shown))
    elif found.labels is not None:
        target, size = targets["label"], found.labels.shape[1]
        known = target.valid.numpy()
        pair = (target.values.numpy(), found.labels.argmax(1))
        truth, shown = (one_hot(np.where(known, side, -1), size) for side in pair)
        cases = TaskCases(label=(truth, shown))
    else:
        cases = TaskCases()
    if found.values is not None:
        cases = replace(cases, values=_values(task, found.values, data))
    return Validation(cases.scores(), thresholds)


def validate_corpora(
    task: FusionTask, labels: Sequence[str], found: Answers, data: FusionData, manifest: Manifest
) -> Validation:
    """`validate`; of several corpora each metric's mean over them, and each one's own beside it.

    Scores of a corpus are called "corpus/metric". A clip is answered with a label of its corpus.
    Thresholds of several labels are fitted on all samples together.
    """
    whole = validate(task, labels, found, data)
    if not isinstance(manifest, Mixture):
        return whole
    each: dict[str, dict[str, float]] = {}
    for key, rows in manifest.rows_of(data.samples).items():
        shown = found.labels
        if shown is not None:
            shown = shown[rows]
            if task.kind != "labels":
                others = np.setdiff1d(np.arange(shown.shape[1]), manifest.columns_of(key))
                shown[:, others] = -1.0
        values = None if found.values is None else [found.values[row] for row in rows]
        own = FusionData(
            tuple(data.samples[row] for row in rows), {}, data.targets.chosen(rows), {}
        )
        each[key] = validate(task, labels, Answers(shown, values), own).scores
    scores = {}
    for metric in whole.scores:
        known = [s[metric] for s in each.values() if np.isfinite(s[metric])]
        scores[metric] = float(np.mean(known)) if known else whole.scores[metric]
    parts = {f"{key}/{m}": value for key, found in each.items() for m, value in found.items()}
    return Validation(scores | parts, whole.thresholds)


def _values(
    task: FusionTask, answers: Sequence[np.ndarray], data: FusionData
) -> dict[str, tuple[list[np.ndarray], list[np.ndarray]]]:
    """Truth and answers of each quantity, one series per sample, where both are known."""
    width = len(task.values)
    if task.kind == "frames":
        # Without a truth there is nothing to lay the answers beside.
        pairs = [
            (np.asarray(t, dtype=np.float64), a) if len(t) else (np.zeros((0, width)),) * 2
            for t, a in zip(data.targets.frames, answers, strict=True)
        ]
    else:
        target = data.targets.whole["values"]
        truths = np.where(target.valid.numpy(), target.values.numpy(), np.nan)
        pairs = [
            (t[None], a[None]) for t, a in zip(truths.astype(np.float64), answers, strict=True)
        ]
    known = [~np.isnan(t) & ~np.isnan(a) for t, a in pairs]

    def column(side: int, k: int) -> list[np.ndarray]:
        return [pair[side][rows[:, k], k] for pair, rows in zip(pairs, known, strict=True)]

    return {name: (column(0, k), column(1, k)) for k, name in enumerate(task.values)}
