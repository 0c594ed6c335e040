"""Several labels a sample: F1 in three averages, Jaccard, mAP and AUC.

With T the true and A the answered set of a sample and tp, fp, fn counted a label:

- micro F1 = 2 sum tp / (2 sum tp + sum fp + sum fn); macro F1 = mean over all labels of
  2 tp / (2 tp + fp + fn); samples F1 = mean over samples of 2 |T and A| / (|T| + |A|);
  Jaccard = mean over samples of |T and A| / |T or A|. An empty sum is 0, as scikit-learn's
  `zero_division=0` has it.
- mAP = mean over labels of the average precision of label *scores*, AUC the mean area under
  their ROC curves; labels without a positive (for AUC: or a negative) are left out of the mean.
  Published evaluation code of MAFW and BOLD takes mAP of 0/1 answers, which ranks nothing.

A row with scores and no `labels` answers each label whose score reaches its threshold: 0.5, or the
threshold fitted on validation predictions. A row with neither is a parse failure: it answers no
label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.manifest.labels import LabelSet
from emollama.scoring.metrics.measure import Measure, Statistic, count_failures, in_order, ratio
from emollama.scoring.metrics.measure import scored as measured
from emollama.scoring.metrics.metrics import ClassScore
from emollama.scoring.metrics.ranking import average_precision, roc_auc
from emollama.scoring.metrics.thresholds import THRESHOLD, best_threshold
from emollama.scoring.predictions.prediction import Prediction

SetMetric = Literal["micro_f1", "macro_f1_multilabel", "samples_f1", "jaccard"]
RankMetric = Literal["map", "auc"]


def fit_thresholds(rows: Sequence[Prediction], labels: LabelSet) -> dict[str, float]:
    """The threshold of each label that maximises its F1 on validation rows.

    Candidates are the scores that occur; of equally good ones the highest is taken. A label
    that no validation row shows keeps 0.5.

    Raises:
        EmollamaError: no row with true labels and label scores.
    """
    kept = [r for r in rows if r.reference_labels is not None and r.label_scores is not None]
    if not kept:
        raise EmollamaError(
            "thresholds need validation rows with reference_labels and label_scores; none has both"
        )
    truth, scores = _truth(kept, labels), _scores(kept, labels)
    fitted = {}
    for k, label in enumerate(labels.labels):
        fitted[label] = best_threshold(truth[:, k], scores[:, k])
    return fitted


def set_metric(
    rows: Sequence[Prediction],
    labels: LabelSet,
    metric: SetMetric,
    thresholds: Mapping[str, float] | None = None,
) -> Measure:
    """F1 or Jaccard of answered sets.

    Args:
        rows: one system's rows.
        labels: the label set.
        metric: which.
        thresholds: of each label, fitted on other rows; then scores decide even where a row also
            has `labels`.
    """
    scored = [r for r in in_order(rows) if r.reference_labels is not None]
    truth = _truth(scored, labels).astype(float)
    answer = _answers(scored, labels, thresholds)
    failed = count_failures(r for r in scored if r.labels is None and r.label_scores is None)
    detail: dict[str, object] = {"thresholds": dict(thresholds)} if thresholds else {}
    return Measure(
        tuple(scored), set_statistic(truth, answer, metric), len(rows), failed, detail,
        "thresholds fitted on validation" if thresholds else "",
    )  # fmt: skip


def set_statistic(truth: np.ndarray, answer: np.ndarray, metric: SetMetric) -> Statistic:
    """A metric over rows of 0 and 1 [n, K], truth and answer, as a function of weights [r, n]."""
    both, either = truth * answer, np.maximum(truth, answer)
    if metric in ("samples_f1", "jaccard"):
        if metric == "jaccard":
            each = ratio(both.sum(1), either.sum(1), 0.0)
        else:
            each = ratio(2 * both.sum(1), truth.sum(1) + answer.sum(1), 0.0)
        return lambda w: ratio(w @ each, w.sum(1))

    def statistic(weights: np.ndarray) -> np.ndarray:
        hits, sizes = weights @ both, weights @ (truth + answer)
        if metric == "micro_f1":
            return ratio(2 * hits.sum(1), sizes.sum(1), 0.0)
        return ratio(2 * hits, sizes, 0.0).mean(1)

    return statistic


def per_label(
    rows: Sequence[Prediction],
    labels: LabelSet,
    thresholds: Mapping[str, float] | None = None,
    **options: Any,
) -> list[ClassScore]:
    """Precision, recall and F1 (with its interval) of each label, in the set's order.

    `options` are those of the bootstrap: resamples, seed, by.
    """
    scored = [r for r in in_order(rows) if r.reference_labels is not None]
    truth = _truth(scored, labels).astype(float)
    answer = _answers(scored, labels, thresholds)
    found = []
    for k, label in enumerate(labels.labels):
        one = Measure(tuple(scored), set_statistic(truth[:, [k]], answer[:, [k]], "micro_f1"), 0)
        score = measured(label, one, **options)
        both, held, given = (truth * answer)[:, k].sum(), truth[:, k].sum(), answer[:, k].sum()
        shown = held > 0
        found.append(
            ClassScore(
                label, float(both / given) if given else 0.0, float(both / held) if shown else None,
                *((score.value, score.ci_low, score.ci_high) if shown else (None, None, None)),
                int(held), int(given),
            )
        )  # fmt: skip
    return found


def rank_metric(rows: Sequence[Prediction], labels: LabelSet, metric: RankMetric) -> Measure:
    """mAP or AUC of label scores, over the rows that have both scores and true labels."""
    known = [r for r in in_order(rows) if r.reference_labels is not None]
    scored = [r for r in known if r.label_scores is not None]
    truth, scores = _truth(scored, labels), _scores(scored, labels)
    function = average_precision if metric == "map" else roc_auc

    def each(weights: np.ndarray) -> np.ndarray:
        size = range(len(labels.labels))
        return np.stack([function(truth[:, k], scores[:, k], weights) for k in size], axis=1)

    def statistic(weights: np.ndarray) -> np.ndarray:
        values = each(weights)
        held = ~np.isnan(values)
        return ratio(np.where(held, values, 0.0).sum(1), held.sum(1))

    detail: dict[str, object] = {}
    note = ""
    if scored:
        values = each(np.ones((1, len(scored))))[0]
        found = [None if np.isnan(v) else float(v) for v in values]
        detail["labels"] = dict(zip(labels.labels, found, strict=True))
        absent = [x for x, v in zip(labels.labels, found, strict=True) if v is None]
        note = f"undefined for {', '.join(absent)}" if absent else ""
    failed = count_failures(r for r in known if r.label_scores is None)
    return Measure(tuple(scored), statistic, len(rows), failed, detail, note)


def _truth(rows: Sequence[Prediction], labels: LabelSet) -> np.ndarray:
    sets = [set(r.reference_labels or ()) for r in rows]
    held = [[x in s for x in labels.labels] for s in sets]
    return np.array(held, dtype=bool).reshape(len(rows), len(labels.labels))


def _scores(rows: Sequence[Prediction], labels: LabelSet) -> np.ndarray:
    found = [[(r.label_scores or {})[x] for x in labels.labels] for r in rows]
    return np.array(found, dtype=float).reshape(len(rows), len(labels.labels))


def _answers(
    rows: Sequence[Prediction], labels: LabelSet, thresholds: Mapping[str, float] | None
) -> np.ndarray:
    """Answered sets as float [n, K] of 0 and 1."""
    found = [_answer(r, labels, thresholds) for r in rows]
    return np.array(found, dtype=float).reshape(len(rows), len(labels.labels))


def _answer(
    row: Prediction, labels: LabelSet, thresholds: Mapping[str, float] | None
) -> list[bool]:
    by_score = row.label_scores is not None and (thresholds is not None or row.labels is None)
    if by_score and row.label_scores is not None:
        limit = thresholds or {}
        return [row.label_scores[x] >= limit.get(x, THRESHOLD) for x in labels.labels]
    return [x in (row.labels or ()) for x in labels.labels]
