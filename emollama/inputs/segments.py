"""Averages the steps of a track.

There are two rules, fixed by existing models: a language model needs a fixed number of positions,
so segments share the step at their boundary and a short track repeats steps; a fusion model may
read fewer, so segments share none.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from emollama.encoders.base import FeatureTrack
from emollama.inputs.spec import InputSpec


def fit_steps(values: np.ndarray, tokens: int) -> np.ndarray:
    """Bring a track [T, D] to [tokens, D]: averaged in equal segments, or steps repeated."""
    steps = len(values)
    if steps == tokens:
        return values
    if steps < tokens:
        return values[np.arange(tokens) * steps // tokens]
    edges = np.linspace(0, steps, tokens + 1)
    return np.stack(
        [values[int(a) : max(int(np.ceil(b)), int(a) + 1)].mean(axis=0) for a, b in pairwise(edges)]
    )


def shaped(spec: InputSpec, track: FeatureTrack) -> tuple[np.ndarray, np.ndarray]:
    """Values [L, D] and times [L] of a track, pooled or segmented as the input requires."""
    values, times = track.values, track.times
    if spec.pool != "none":
        return pooled(values, spec.pool == "mean+std")[None], times.mean(keepdims=True)
    if spec.segments and len(values) > spec.segments:
        edges = np.arange(spec.segments + 1) * len(values) // spec.segments
        counts = np.diff(edges)
        return (
            np.add.reduceat(values, edges[:-1], axis=0, dtype=np.float64) / counts[:, None],
            np.add.reduceat(times, edges[:-1], dtype=np.float64) / counts,
        )
    return values, times


def pooled(values: np.ndarray, deviation: bool) -> np.ndarray:
    """The mean float32 [D] of steps [T, D], optionally followed by their deviation."""
    parts = [values.mean(axis=0, dtype=np.float64)]
    if deviation:
        parts.append(values.std(axis=0, dtype=np.float64))
    return np.concatenate(parts, dtype=np.float32)
