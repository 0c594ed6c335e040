"""The score from which a label counts as shown, fitted where it may be: on validation samples."""

from __future__ import annotations

import numpy as np

from emollama.scoring.metrics.ranking import best_f1_threshold

THRESHOLD = 0.5
"""Of a label that no validation sample shows, and where there is no validation split."""


def best_threshold(truth: np.ndarray, scores: np.ndarray) -> float:
    """The threshold of highest F1 of one label, `THRESHOLD` where no sample shows it.

    Args:
        truth: bool [n], whether a sample shows the label.
        scores: float [n]; those at or above the threshold count as shown.
    """
    return best_f1_threshold(truth, scores) if truth.any() else THRESHOLD
