"""Metrics of one label a sample, over all rows, fold by fold, and joined with valence.

Formulae and conventions of the label metrics themselves stand in `metrics`. A parse failure is
scored as a wrong answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.manifest.labels import LabelSet
from emollama.scoring.metrics.continuous import numbers
from emollama.scoring.metrics.measure import Measure, count_failures, in_order, ratio
from emollama.scoring.metrics.metrics import METRICS, weighted_f1
from emollama.scoring.predictions.checks import NO_VALENCE
from emollama.scoring.predictions.prediction import Prediction

MSE_WEIGHT = 0.25


def label_metric(rows: Sequence[Prediction], labels: LabelSet, metric: str) -> Measure:
    """A metric of `METRICS`, over the rows that have a reference."""
    scored = [r for r in in_order(rows) if r.reference is not None]
    confusion = _confusion(scored, labels)
    function = METRICS[metric]
    return Measure(
        tuple(scored), lambda w: function(confusion(w)), len(rows),
        count_failures(r for r in scored if r.label is None),
    )  # fmt: skip


def upstream_f1(rows: Sequence[Prediction], labels: LabelSet) -> Measure:
    """Weighted F1 as the released Emotion-LLaMA scores it: what it cannot read is "neutral".

    A failure is then right wherever the truth is neutral, and lowers neutral's precision elsewhere;
    `weighted_f1` stands beside it.

    Raises:
        EmollamaError: a label set without "neutral".
    """
    neutral = labels.require("neutral", "weighted_f1_upstream")
    measure = label_metric(
        [r if r.label else r.model_copy(update={"label": neutral}) for r in rows],
        labels, "weighted_f1",
    )  # fmt: skip
    failures = count_failures(r for r in rows if r.reference is not None and r.label is None)
    note = "answers without a label count as neutral" if failures else ""
    return replace(measure, failures=failures, note=note)


def fold_mean(rows: Sequence[Prediction], labels: LabelSet, metric: str) -> Measure:
    """Mean over folds of the metric within each fold (DFEW's and IEMOCAP's custom).

    Every fold weighs the same, whatever its size. The pooled metric, over all rows at once, is
    `label_metric`; for accuracy the two differ by fold sizes, for UAR by more. A resample draws
    over all folds together; a fold it leaves empty is left out of its mean.

    Raises:
        EmollamaError: a scored row without a fold, or a file of one fold only.
    """
    scored = [r for r in in_order(rows) if r.reference is not None]
    without = next((r for r in scored if r.fold is None), None)
    if without is not None:
        raise EmollamaError(f"id '{without.id}' has no fold; fold averages need one in every row")
    folds = sorted({str(r.fold) for r in scored})
    if len(folds) == 1:
        raise EmollamaError(f"there is one fold ('{folds[0]}'); a mean over folds needs two")
    confusion = _confusion(scored, labels)
    inside = np.array([[r.fold == f for r in scored] for f in folds], dtype=float)
    function = METRICS[metric]

    def statistic(weights: np.ndarray) -> np.ndarray:
        values = np.stack([function(confusion(weights * row)) for row in inside])
        held = ~np.isnan(values)
        return ratio(np.where(held, values, 0.0).sum(0), held.sum(0))

    every = np.ones((1, len(scored)))
    detail: dict[str, object] = {
        "folds": [
            {"fold": f, "value": float(function(confusion(every * row))[0]), "n": int(row.sum())}
            for f, row in zip(folds, inside, strict=True)
        ]
    }
    return Measure(
        tuple(scored), statistic, len(rows),
        count_failures(r for r in scored if r.label is None), detail,
        f"mean over {len(folds)} folds",
    )  # fmt: skip


def mer2023_combined(rows: Sequence[Prediction], labels: LabelSet) -> Measure:
    """Weighted F1 - 0.25 * MSE(valence), the score of MER2023's MULTI and NOISE tracks.

    F1 is over all rows with a true label; the squared error over those with a true valence and
    an answered one, -10 being none (Lian et al., "MER 2023", ACM MM 2023). No upper bound but
    1, no lower one.

    Raises:
        EmollamaError: no row with valence at all: the SEMI track's score is `weighted_f1`.
    """
    scored = [r for r in in_order(rows) if r.reference is not None]
    answers, truths = (
        np.array([_one(r, side) for r in scored], dtype=float)
        for side in ("values", "reference_values")
    )
    both = ~np.isnan(answers) & ~np.isnan(truths)
    if scored and not both.any():
        raise EmollamaError(
            "mer2023 needs values.valence and reference_values.valence and no row has both; "
            "without valence (the SEMI track) the score is weighted_f1"
        )
    errors = np.where(both, np.nan_to_num(answers - truths) ** 2, 0.0)
    confusion = _confusion(scored, labels)

    def parts(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return weighted_f1(confusion(weights)), ratio(weights @ errors, weights @ both)

    def statistic(weights: np.ndarray) -> np.ndarray:
        f1, mse = parts(weights)
        return f1 - MSE_WEIGHT * mse

    missing = int((~np.isnan(truths) & np.isnan(answers)).sum())
    failures = count_failures(r for r in scored if r.label is None)
    if missing:
        failures["no valence"] = missing
    detail: dict[str, object] = {}
    if scored:
        f1, mse = parts(np.ones((1, len(scored))))
        detail = {"weighted_f1": float(f1[0]), "mse": float(mse[0]), "n_valence": int(both.sum())}
    return Measure(tuple(scored), statistic, len(rows), failures, detail)


def _one(row: Prediction, side: str) -> float:
    """The clip's valence, NaN where it has none, or MER2023's number for none."""
    found = numbers(row, side, "valence")
    if found is None:
        return np.nan
    if len(found) != 1:
        raise EmollamaError(f"id '{row.id}': mer2023 needs one valence a clip, not {len(found)}")
    return np.nan if found[0] == NO_VALENCE else found[0]


def _confusion(rows: Sequence[Prediction], labels: LabelSet) -> Callable[[np.ndarray], np.ndarray]:
    """Weights [r, n] to confusion matrices [r, K, K + 1], the last column unparsed."""
    code = {label: k for k, label in enumerate(labels.labels)}
    size = len(code)
    cells = np.zeros((len(rows), size * (size + 1)))
    for i, row in enumerate(rows):
        place = size if row.label is None else code[row.label]
        cells[i, code[str(row.reference)] * (size + 1) + place] = 1
    return lambda weights: (weights @ cells).reshape(-1, size, size + 1)
