"""Average precision and area under the ROC curve at many weightings at once.

Both equal scikit-learn's with `sample_weight`; they are written out because a bootstrap needs
them a thousand times, and sorting once is enough for all of them.
"""

from __future__ import annotations

import numpy as np

from emollama.scoring.metrics.measure import ratio


def _steps(
    truth: np.ndarray, scores: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weights of true and of false positives [r, t] as the threshold falls past each score."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    drawn = weights[:, order]
    positive = np.cumsum(drawn * truth[order], axis=1)[:, ends]
    return positive, np.cumsum(drawn, axis=1)[:, ends] - positive


def average_precision(truth: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum over thresholds of (R_k - R_(k-1)) * P_k, not interpolated.

    Args:
        truth: bool [n].
        scores: float [n]; equal scores are one threshold.
        weights: float [r, n].

    Returns:
        float [r]; NaN where no positive was drawn.
    """
    positive, negative = _steps(truth, scores, weights)
    gained = np.diff(positive, axis=1, prepend=0.0)
    precision = ratio(positive, positive + negative, 0.0)
    return ratio((gained * precision).sum(1), positive[:, -1])


def roc_auc(truth: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Probability that a positive scores above a negative, ties counting one half.

    Arguments as for `average_precision`. float [r]; NaN where one of the two was not drawn.
    """
    positive, negative = _steps(truth, scores, weights)
    height = positive - np.diff(positive, axis=1, prepend=0.0) / 2
    area = (np.diff(negative, axis=1, prepend=0.0) * height).sum(1)
    return ratio(area, positive[:, -1] * negative[:, -1])
