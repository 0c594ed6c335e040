"""How well scores rank: average precision, area under the ROC curve, and the curves themselves.

Both areas equal scikit-learn's with `sample_weight`; they are written out because a bootstrap needs
them a thousand times, and sorting once is enough for all of them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from emollama.scoring.metrics.formulas import mean_of_defined, ratio


def steps(
    truth: np.ndarray, scores: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights of true and of false positives [R, t] at each threshold [t], the highest first."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    drawn = weights[:, order]
    positive = np.cumsum(drawn * truth[order], axis=1)[:, ends]
    return positive, np.cumsum(drawn, axis=1)[:, ends] - positive, scores[order][ends]


def average_precision(truth: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum over thresholds of (R_k - R_(k-1)) * P_k, not interpolated.

    Args:
        truth: bool [n].
        scores: float [n]; equal scores are one threshold.
        weights: float [R, n].

    Returns:
        float [R]; NaN where no positive was drawn.
    """
    positive, negative, _ = steps(truth, scores, weights)
    gained = np.diff(positive, axis=1, prepend=0.0)
    precision = ratio(positive, positive + negative, 0.0)
    return ratio((gained * precision).sum(1), positive[:, -1])


def roc_auc(truth: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Probability that a positive scores above a negative, ties counting one half.

    Arguments as for `average_precision`. float [R]; NaN where one of the two was not drawn.
    """
    positive, negative, _ = steps(truth, scores, weights)
    height = positive - np.diff(positive, axis=1, prepend=0.0) / 2
    area = (np.diff(negative, axis=1, prepend=0.0) * height).sum(1)
    return ratio(area, positive[:, -1] * negative[:, -1])


Area = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def by_label(
    area: Area, truth: np.ndarray, scores: np.ndarray, weights: np.ndarray
) -> np.ndarray:  # fmt: skip
    """An area of each label, [R, K]; truth and scores are [n, K]."""
    every = range(truth.shape[1])
    return np.stack([area(truth[:, k], scores[:, k], weights) for k in every], axis=1)


def mean_over_labels(
    area: Area, truth: np.ndarray, scores: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """mAP or mean AUC [R]; labels for which the area is undefined are left out."""
    return mean_of_defined(by_label(area, truth, scores, weights))


def roc_curve(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rate as the threshold falls, corners only; from (0, 0) to (1, 1)."""
    positive, negative, _ = steps(truth, scores, np.ones((1, len(truth))))
    hits, alarms = positive[0], negative[0]
    turns = (np.diff(hits, 2) != 0) | (np.diff(alarms, 2) != 0)
    kept = np.concatenate([[True], turns, [True]]) if len(hits) > 1 else np.array([True])
    hits, alarms = (np.concatenate([[0.0], side[kept]]) for side in (hits, alarms))
    return alarms / alarms[-1], hits / hits[-1]


def precision_recall_curve(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall as the threshold rises, to (1, 0) where nothing is answered."""
    positive, negative, _ = steps(truth, scores, np.ones((1, len(truth))))
    hits, alarms = positive[0, ::-1], negative[0, ::-1]
    precision = np.append(ratio(hits, hits + alarms, 0.0), 1.0)
    return precision, np.append(hits / hits[0], 0.0)
