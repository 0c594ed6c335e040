"""Temperature: one number that makes label probabilities as sure as they are right.

Each probability is raised to 1 / temperature and the row is normalised again (Guo et al., 2017).
The order of the labels stays. Above 1 the model was too sure of itself, below 1 not sure enough.
"""

from __future__ import annotations

import math

import numpy as np

from emollama.scoring.metrics.formulas import SMALLEST_PROBABILITY

COLDEST, WARMEST = 0.05, 20.0
"""Limits of a temperature: a model that is never wrong would be made ever surer."""
_STEPS = 50


def tempered(scores: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities [n, K] at a temperature; `scores` are probabilities [n, K]."""
    logs = _logs(scores) / temperature
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def fit_temperature(scores: np.ndarray, truth: np.ndarray) -> float:
    """The temperature of the smallest log loss.

    The loss is convex in 1 / temperature, so its slope is bisected.

    Args:
        scores: probabilities [n, K], n at least 1.
        truth: bool [n, K], one True a row.
    """
    logs = _logs(scores)
    true = logs[truth].mean()
    low, high = math.log(1 / WARMEST), math.log(1 / COLDEST)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        expected = (tempered(scores, math.exp(-middle)) * logs).sum(axis=1).mean()
        low, high = (low, middle) if expected > true else (middle, high)
    return math.exp(-(low + high) / 2)


def _logs(scores: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(np.maximum(scores, SMALLEST_PROBABILITY)))
