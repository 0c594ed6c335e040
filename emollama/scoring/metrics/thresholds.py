"""The score from which a label counts as shown, fitted where it may be: on validation samples."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import precision_recall_curve

THRESHOLD = 0.5
"""Of a label that no validation sample shows, and where there is no validation split."""


def best_threshold(truth: np.ndarray, scores: np.ndarray) -> float:
    """The threshold of highest F1, scores at or above it counting as shown.

    Candidates are the scores that occur; of equally good ones the highest is taken.

    Args:
        truth: bool [n], whether a sample shows the label.
        scores: float [n].
    """
    if not truth.any():
        return THRESHOLD
    precision, recall, thresholds = precision_recall_curve(truth, scores)
    top, bottom = 2 * precision * recall, precision + recall
    f1 = np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)[:-1]
    return float(thresholds[np.flatnonzero(f1 == f1.max())[-1]])
