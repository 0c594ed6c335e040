"""Several labels a sample: F1 in three averages, Jaccard, mAP and AUC, thresholds.

A row with scores and no `labels` answers each label whose score reaches its threshold: 0.5, or the
threshold fitted on validation predictions. A row with neither is a parse failure: it answers no
label. mAP and AUC are of label *scores*, over the labels that have a positive (for AUC: and a
negative); published evaluation code of MAFW and BOLD takes mAP of 0/1 answers, which ranks nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.manifest.labels import LabelSet
from emollama.scoring.metrics.measure import Cases, Measure, count_failures, in_order
from emollama.scoring.metrics.ranking import Area, by_label, mean_over_labels
from emollama.scoring.metrics.thresholds import THRESHOLD, best_threshold
from emollama.scoring.predictions.prediction import Prediction

Rows = Sequence[Prediction]
Thresholds = Mapping[str, float]


def fit_thresholds(rows: Rows, labels: LabelSet) -> dict[str, float]:
    """The threshold of each label that maximises its F1 on validation rows.

    Candidates are the scores that occur; of equally good ones the highest is taken. A label
    that no validation row shows keeps 0.5.

    Raises:
        EmollamaError: no row with true labels and label scores.
    """
    cases = ranked_cases(rows, labels)
    if not cases.rows:
        raise EmollamaError(
            "thresholds need validation rows with reference_labels and label_scores; none has both"
        )
    return {
        label: best_threshold(cases.truth[:, k], cases.answer[:, k])
        for k, label in enumerate(labels.labels)
    }


def set_cases(rows: Rows, labels: LabelSet, thresholds: Thresholds | None = None) -> Cases:
    """Rows with true labels: truth and answered sets, bool [n, K].

    With `thresholds`, fitted on other rows, scores decide even where a row also has `labels`.
    """
    scored = [r for r in in_order(rows) if r.reference_labels is not None]
    answers = [_answer(r, labels, thresholds) for r in scored]
    failed = count_failures(r for r in scored if r.labels is None and r.label_scores is None)
    detail: dict[str, object] = {"thresholds": dict(thresholds)} if thresholds else {}
    return Cases(
        tuple(scored), _truth(scored, labels), _table(answers, labels, bool), len(rows), failed,
        detail, "thresholds fitted on validation" if thresholds else "",
    )  # fmt: skip


def ranked_cases(rows: Rows, labels: LabelSet) -> Cases:
    """Rows with true labels and label scores: bool and float [n, K]."""
    known = [r for r in in_order(rows) if r.reference_labels is not None]
    scored = [r for r in known if r.label_scores is not None]
    scores = [[(r.label_scores or {})[x] for x in labels.labels] for r in scored]
    failed = count_failures(r for r in known if r.label_scores is None)
    return Cases(
        tuple(scored), _truth(scored, labels), _table(scores, labels, float), len(rows), failed
    )


def rank_metric(rows: Rows, labels: LabelSet, area: Area) -> Measure:
    """The mean over labels of `average_precision` or `roc_auc`, followed by each label's."""
    cases = ranked_cases(rows, labels)
    if not cases.rows:
        return cases.measure(area)
    values = by_label(area, cases.truth, cases.answer, np.ones((1, len(cases.rows))))[0]
    found = {
        label: None if np.isnan(v) else float(v)
        for label, v in zip(labels.labels, values, strict=True)
    }
    absent = [label for label, v in found.items() if v is None]
    noted = replace(cases, note=f"undefined for {', '.join(absent)}" if absent else "")
    return noted.bound(lambda w: mean_over_labels(area, cases.truth, cases.answer, w), labels=found)


def _truth(rows: Rows, labels: LabelSet) -> np.ndarray:
    held = [[x in (r.reference_labels or ()) for x in labels.labels] for r in rows]
    return _table(held, labels, bool)


def _table(cells: Sequence[Sequence[float]], labels: LabelSet, kind: type) -> np.ndarray:
    return np.array(cells, dtype=kind).reshape(len(cells), len(labels.labels))


def _answer(row: Prediction, labels: LabelSet, thresholds: Thresholds | None) -> list[bool]:
    by_score = row.label_scores is not None and (thresholds is not None or row.labels is None)
    if by_score and row.label_scores is not None:
        limit = thresholds or {}
        return [row.label_scores[x] >= limit.get(x, THRESHOLD) for x in labels.labels]
    return [x in (row.labels or ()) for x in labels.labels]
