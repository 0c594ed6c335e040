"""Metrics of one label a sample: over all rows, class by class, fold by fold, with valence.

A parse failure is scored as a wrong answer; rows without a true label are not scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Unpack

import numpy as np

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.manifest.labels import LabelSet
from emollama.scoring.metrics.bootstrap import Draws
from emollama.scoring.metrics.continuous import numbers
from emollama.scoring.metrics.formulas import (
    ECE_BINS,
    bin_of,
    class_f1,
    class_precision,
    class_recall,
    counts,
    mean_of_defined,
    one_hot,
    weighted_f1,
)
from emollama.scoring.metrics.measure import (
    Cases,
    Formula,
    Measure,
    count_failures,
    in_order,
    scored_together,
)
from emollama.scoring.metrics.regression import mse
from emollama.scoring.predictions.checks import NO_VALENCE
from emollama.scoring.predictions.prediction import Prediction

MSE_WEIGHT = 0.25
Rows = Sequence[Prediction]


@dataclass(frozen=True)
class ClassScore:
    """One label's row of the per-class table; recall and F1 are None where support is 0."""

    label: str
    precision: float
    recall: float | None
    f1: float | None
    f1_low: float | None
    f1_high: float | None
    support: int
    predicted: int


@dataclass(frozen=True)
class Bin:
    """One bar of a reliability diagram: rows whose highest score lies in (low, high]."""

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


def label_cases(rows: Rows, labels: LabelSet) -> Cases:
    """Rows that have a reference: truth and answers bool [n, K], none True where none was read.

    Raises:
        EmollamaError: an id that occurs twice, or a label outside the label set.
    """
    scored = in_order(r for r in rows if r.reference is not None)
    code = {label: k for k, label in enumerate(labels.labels)}
    for row in scored:
        for word in (row.reference, row.label):
            if word is not None and word not in code:
                raise EmollamaError(
                    f"id '{row.id}': '{word}' is not in label set '{labels.name}'"
                    f"{did_you_mean(word, labels.labels)}"
                )
    truth, answer = (
        one_hot([code.get(word or "", -1) for word in side], len(code))
        for side in ([r.reference for r in scored], [r.label for r in scored])
    )
    failures = count_failures(r for r in scored if r.label is None)
    return Cases(tuple(scored), truth, answer, len(rows), failures)


def probability_cases(rows: Rows, labels: LabelSet) -> Cases:
    """Rows that have a reference and scores: truth bool [n, K], scores float [n, K]."""
    held = label_cases([r for r in rows if r.reference is not None and r.scores], labels)
    scores = np.array([[(r.scores or {})[x] for x in labels.labels] for r in held.rows])
    return replace(held, answer=scores.reshape(held.truth.shape), n_total=len(rows))


def upstream_cases(rows: Rows, labels: LabelSet) -> Cases:
    """As the released Emotion-LLaMA scores: what it cannot read is "neutral".

    A failure is then right wherever the truth is neutral, and lowers neutral's precision elsewhere;
    `weighted_f1` is shown with it.

    Raises:
        EmollamaError: a label set without "neutral".
    """
    neutral = labels.require("neutral", "weighted_f1_upstream")
    held = label_cases(rows, labels)
    unread = ~held.answer.any(axis=1, keepdims=True)
    answer = held.answer | unread & one_hot([labels.labels.index(neutral)], len(labels.labels))
    note = "answers without a label count as neutral" if held.failures else ""
    return replace(held, answer=answer, note=note)


def fold_mean(rows: Rows, labels: LabelSet, formula: Formula) -> Measure:
    """Mean over folds of the metric within each fold (DFEW's and IEMOCAP's custom).

    Every fold weighs the same, whatever its size. For the pooled accuracy the two differ by fold
    sizes, for UAR by more. A resample draws over all folds together; a fold it leaves empty is
    left out of its mean.

    Raises:
        EmollamaError: a scored row without a fold, or a file of one fold only.
    """
    cases = label_cases(rows, labels)
    without = next((r for r in cases.rows if r.fold is None), None)
    if without is not None:
        raise EmollamaError(f"id '{without.id}' has no fold; fold means need one in every row")
    folds = sorted({str(r.fold) for r in cases.rows})
    if len(folds) == 1:
        raise EmollamaError(
            f"there is only one fold ('{folds[0]}'); a mean over folds needs at least two"
        )
    inside = np.array([[r.fold == f for r in cases.rows] for f in folds], dtype=float)

    def by_fold(weights: np.ndarray) -> np.ndarray:
        parts = [formula(cases.truth, cases.answer, weights * row) for row in inside]
        return np.stack(parts, axis=1)

    values = by_fold(np.ones((1, len(cases.rows))))[0] if folds else ()
    each = [
        {"fold": f, "value": float(value), "n": int(row.sum())}
        for f, value, row in zip(folds, values, inside, strict=True)
    ]
    noted = replace(cases, note=f"mean over {len(folds)} folds")
    return noted.bound(lambda w: mean_of_defined(by_fold(w)), folds=each)


def mer2023_combined(rows: Rows, labels: LabelSet) -> Measure:
    """Weighted F1 - 0.25 * MSE(valence), the score of MER2023's MULTI and NOISE tracks.

    F1 is over all rows with a true label; the squared error over those with a true valence and
    an answered one, -10 being none (Lian et al., "MER 2023", ACM MM 2023). No upper bound but
    1, no lower one.

    Raises:
        EmollamaError: no row with valence at all: the SEMI track's score is `weighted_f1`.
    """
    cases = label_cases(rows, labels)
    answers, truths = (
        [_valence(r, side) for r in cases.rows] for side in ("values", "reference_values")
    )
    both = [len(x) > 0 and len(y) > 0 for x, y in zip(answers, truths, strict=True)]
    if cases.rows and not any(both):
        raise EmollamaError(
            "mer2023 needs values.valence and reference_values.valence and no row has both; "
            "without valence (the SEMI track) the score is weighted_f1"
        )
    nothing = np.zeros(0)
    x, y = ([v if b else nothing for v, b in zip(s, both, strict=True)] for s in (answers, truths))

    def parts(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return weighted_f1(cases.truth, cases.answer, weights), mse(y, x, weights)

    def combined(weights: np.ndarray) -> np.ndarray:
        f1, error = parts(weights)
        return f1 - MSE_WEIGHT * error

    failures = dict(cases.failures)
    if missing := sum(len(b) > len(a) for a, b in zip(answers, truths, strict=True)):
        failures["no valence"] = missing
    detail: dict[str, object] = {}
    if cases.rows:
        f1, error = parts(np.ones((1, len(cases.rows))))
        detail = {"weighted_f1": float(f1[0]), "mse": float(error[0]), "n_valence": sum(both)}
    return replace(cases, failures=failures).bound(combined, **detail)


def _valence(row: Prediction, side: str) -> np.ndarray:
    """The clip's valence, [1]; [0] where it has none, or MER2023's number for none."""
    found = numbers(row, side, "valence")
    if found is not None and len(found) != 1:
        raise EmollamaError(f"id '{row.id}': mer2023 needs one valence a clip, not {len(found)}")
    return np.array([v for v in found or () if v != NO_VALENCE], dtype=float)


def per_class(cases: Cases, labels: LabelSet, **draws: Unpack[Draws]) -> list[ClassScore]:
    """Precision, recall, F1 (with its interval) and support of each label, in the set's order."""
    if not cases.rows:
        return [ClassScore(x, 0.0, None, None, None, None, 0, 0) for x in labels.labels]
    every = np.ones((1, len(cases.rows)))
    held = (cases.truth, cases.answer, every)
    recall, precision = class_recall(*held)[0], class_precision(*held)[0]
    _, support, predicted = (side[0] for side in counts(*held))
    f1 = scored_together(
        {
            label: replace(cases, truth=cases.truth[:, [k]], answer=cases.answer[:, [k]]).measure(
                lambda t, a, w: class_f1(t, a, w)[:, 0]
            )
            for k, label in enumerate(labels.labels)
        },
        **draws,
    )  # fmt: skip
    return [
        ClassScore(
            label, float(precision[k]), float(recall[k]) if support[k] else None,
            score.value, score.ci_low, score.ci_high, int(support[k]), int(predicted[k]),
        )
        for k, (label, score) in enumerate(f1.items())
    ]  # fmt: skip


def confusion_matrix(cases: Cases) -> np.ndarray:
    """Counts int [K, K + 1]: rows are references, columns answers, the last one unparsed."""
    unread = ~cases.answer.any(axis=1, keepdims=True)
    answer = np.concatenate([cases.answer, unread], axis=1)
    return np.asarray(cases.truth.T.astype(np.int64) @ answer.astype(np.int64))


def reliability(cases: Cases) -> list[Bin]:
    """The 15 bins of the reliability diagram, of `probability_cases`."""
    scores, truth = cases.answer, cases.truth
    right = truth[np.arange(len(truth)), scores.argmax(1)]
    where = bin_of(scores)
    bins = []
    for k in range(ECE_BINS):
        inside = where == k
        full = bool(inside.any())
        bins.append(
            Bin(
                low=k / ECE_BINS,
                high=(k + 1) / ECE_BINS,
                count=int(inside.sum()),
                confidence=float(scores.max(1)[inside].mean()) if full else None,
                accuracy=float(right[inside].mean()) if full else None,
            )
        )
    return bins
