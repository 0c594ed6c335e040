"""The score from which a label counts as shown, fitted on validation samples only."""

from __future__ import annotations

import numpy as np

from emollama.scoring.metrics.ranking import steps

THRESHOLD = 0.5
"""Threshold of labels without validation samples, and without a validation split."""


def best_threshold(truth: np.ndarray, scores: np.ndarray) -> float:
    """The score that occurs whose threshold gives a label the highest F1; the highest of equals.

    Args:
        truth: bool [n], whether a sample shows the label; `THRESHOLD` is taken where none does.
        scores: float [n]; those at or above the threshold count as shown.
    """
    if not truth.any():
        return THRESHOLD
    hits, alarms, thresholds = steps(truth, scores, np.ones((1, len(truth))))
    f1 = 2 * hits[0] / (hits[0] + alarms[0] + truth.sum())
    return float(thresholds[int(f1.argmax())])
