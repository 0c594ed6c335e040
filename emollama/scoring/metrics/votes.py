"""Metrics against the votes of several annotators: shares by label in place of one true label.

Truth p and answer q are probabilities of the K labels of a sample. Cross-entropy is in nats and has
the entropy of p as its lowest value, which is 0 only where annotators agree; the Jensen-Shannon
divergence (Lin 1991) is in bits, from 0 (the same) to 1 (no label in common).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emollama.manifest.labels import LabelSet
from emollama.scoring.metrics.context import Build, Metric, over
from emollama.scoring.metrics.formulas import SMALLEST_PROBABILITY, mean, one_hot
from emollama.scoring.metrics.measure import Cases, Formula, count_failures, in_order
from emollama.scoring.predictions.prediction import Prediction

Rows = Sequence[Prediction]


def share_cases(rows: Rows, labels: LabelSet) -> Cases:
    """Rows with votes and scores: both float [n, K]; those without scores are counted."""
    voted = [r for r in in_order(rows) if r.reference_votes is not None]
    kept = [r for r in voted if r.scores is not None]
    failed = count_failures(r for r in voted if r.scores is None)
    scores = _table([r.scores or {} for r in kept], labels)
    return Cases(tuple(kept), _votes(kept, labels), scores, len(rows), failed)


def agreement_cases(rows: Rows, labels: LabelSet) -> Cases:
    """Rows with votes: shares float [n, K], answers bool [n, K], none True where none was read."""
    voted = [r for r in in_order(rows) if r.reference_votes is not None]
    code = {label: k for k, label in enumerate(labels.labels)}
    answers = one_hot([code.get(r.label or "", -1) for r in voted], len(code))
    failed = count_failures(r for r in voted if r.label is None)
    return Cases(tuple(voted), _votes(voted, labels), answers, len(rows), failed)


def cross_entropy(truth: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean over samples of -sum p log q [R], in nats."""
    return mean(-(truth * np.log(np.maximum(scores, SMALLEST_PROBABILITY))).sum(1), weights)


def jensen_shannon(truth: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean over samples of the Jensen-Shannon divergence [R], in bits."""
    middle = (truth + scores) / 2
    return mean((_divergence(truth, middle) + _divergence(scores, middle)) / 2, weights)


def agreement(truth: np.ndarray, answer: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean share of the annotators who chose what was answered [R]; no answer agrees with none."""
    return mean((truth * answer).sum(1), weights)


def _divergence(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Kullback-Leibler divergence [n] in bits; 0 log 0 is 0."""
    held = p > 0
    ratio = np.divide(p, q, out=np.ones_like(p), where=held)
    return np.asarray((p * np.log2(ratio)).sum(1))


def _votes(rows: Rows, labels: LabelSet) -> np.ndarray:
    return _table([r.reference_votes or {} for r in rows], labels)


def _table(shares: Sequence[dict[str, float]], labels: LabelSet) -> np.ndarray:
    cells = [[s.get(x, 0.0) for x in labels.labels] for s in shares]
    return np.array(cells, dtype=float).reshape(len(cells), len(labels.labels))


def _shares(formula: Formula) -> Build:
    return over(lambda rows, c: share_cases(rows, c.labels), formula)


METRICS: dict[str, Metric] = {
    "soft_cross_entropy": Metric(
        "cross-entropy with the votes", "votes", _shares(cross_entropy),
        "mean of minus the log of the probabilities, weighed by the annotators' shares",
        lower_is_better=True,
    ),
    "jensen_shannon": Metric(
        "Jensen-Shannon divergence (bits)", "votes", _shares(jensen_shannon),
        "how far the probabilities are from the annotators' shares, 0 to 1", "Lin (1991)", True,
    ),
    "agreement": Metric(
        "agreement with the annotators", "agreement",
        over(lambda rows, c: agreement_cases(rows, c.labels), agreement),
        "mean share of the annotators who chose the answered label",
    ),
}  # fmt: skip
"""Part of the table of metrics, see `registry`."""
