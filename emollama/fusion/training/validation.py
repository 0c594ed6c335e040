"""Scores of a validation split, and which of them says that an epoch is the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from sklearn.metrics import f1_score, recall_score

from emollama.fusion.answers import Answers
from emollama.fusion.configuration import FusionTask, TaskKind
from emollama.fusion.data.data import FusionData
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
"""Metrics by which an epoch may be the best."""

AUTO: dict[TaskKind, Select] = {
    "label": "weighted_f1",
    "labels": "macro_f1",
    "values": "ccc",
    "label+values": "mer2023",
    "frames": "ccc",
}
TITLES: dict[str, str] = {
    "weighted_f1": "weighted F1",
    "uar": "UAR",
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "accuracy": "accuracy",
    "ccc": "CCC",
    "mse": "MSE",
    "mer2023": "weighted F1 - 0.25 MSE",
}


@dataclass(frozen=True)
class Validation:
    """Scores by metric, and for several labels the thresholds with which they were answered."""

    scores: dict[str, float]
    thresholds: dict[str, float]


def selected(task: FusionTask, select: Select) -> str:
    """The metric that "auto" means for a task, or the one asked for."""
    return AUTO[task.kind] if select == "auto" else select


def merit(metric: str, scores: Mapping[str, float]) -> float:
    """A figure of which more is better."""
    return -scores[metric] if metric == "mse" else scores[metric]


def validate(
    task: FusionTask, labels: Sequence[str], found: Answers, data: FusionData
) -> Validation:
    """Score answers against the targets of `data`; what is not known counts for nothing.

    F1 and UAR are over the labels that the references hold; of several labels, each is answered
    by the threshold fitted on these very samples. CCC and MSE are means over the values, each
    over all samples (or all frames of all samples as one sequence).
    """
    scores: dict[str, float] = {}
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
        scores |= _set_scores(truth & known, shown)
    elif found.labels is not None:
        target = targets["label"]
        rows = target.valid.numpy()
        scores |= _label_scores(target.values.numpy()[rows], found.labels.argmax(1)[rows])
    if found.values is not None:
        scores |= _value_scores(task, found.values, data)
    if "weighted_f1" in scores and "mse" in scores:
        scores["mer2023"] = scores["weighted_f1"] - 0.25 * scores["mse"]
    return Validation(scores, thresholds)


def _label_scores(truth: np.ndarray, answer: np.ndarray) -> dict[str, float]:
    held = sorted(set(truth.tolist()))
    return {
        "weighted_f1": float(f1_score(truth, answer, average="weighted", zero_division=0)),
        "uar": float(recall_score(truth, answer, labels=held, average="macro", zero_division=0)),
        "macro_f1": float(f1_score(truth, answer, labels=held, average="macro", zero_division=0)),
        "accuracy": float((truth == answer).mean()),
    }


def _set_scores(truth: np.ndarray, answer: np.ndarray) -> dict[str, float]:
    return {
        f"{kind}_f1": float(f1_score(truth, answer, average=kind, zero_division=0))
        for kind in ("macro", "micro")
    }


def _value_scores(
    task: FusionTask, answers: Sequence[np.ndarray], data: FusionData
) -> dict[str, float]:
    if task.kind == "frames":
        told = [i for i, frames in enumerate(data.targets.frames) if len(frames)]
        truth = np.concatenate([data.targets.frames[i] for i in told]).astype(np.float64)
        answer = np.concatenate([answers[i] for i in told])
    else:
        target = data.targets.whole["values"]
        truth = np.where(target.valid.numpy(), target.values.numpy(), np.nan).astype(np.float64)
        answer = np.stack(answers)
    each: dict[str, list[float]] = {"ccc": [], "mse": []}
    for column in range(len(task.values)):
        x, y = answer[:, column], truth[:, column]
        known = ~np.isnan(x) & ~np.isnan(y)
        each["ccc"].append(concordance(x[known], y[known]))
        each["mse"].append(float(((x - y)[known] ** 2).mean()) if known.any() else 0.0)
    scores = {name: float(np.mean(values)) for name, values in each.items()}
    for name, value in zip(task.values, each["ccc"], strict=True):
        scores[f"ccc_{name}"] = value
    return scores


def concordance(answer: np.ndarray, truth: np.ndarray) -> float:
    """CCC (Lin 1989) with population variances; 0 where there is nothing to agree on."""
    if len(answer) < 2:
        return 0.0
    covariance = ((answer - answer.mean()) * (truth - truth.mean())).mean()
    bottom = answer.var() + truth.var() + (answer.mean() - truth.mean()) ** 2
    return float(2 * covariance / bottom) if bottom > 0 else 0.0
