"""Does a gate follow signal quality? The weight of a modality under noise.

HRI-EMO's β and the modality weights of MERBench's attention model are offered as "how much each
modality counts". If so, a noisy modality should lose weight. Noise is added to its track in
standardised units: level 1 has each column's own deviation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.runs.artefact import Artefact, LoadedSamples
from emollama.scoring.metrics.bootstrap import RESAMPLES
from emollama.scoring.metrics.measure import Difference, Score, mean_difference, mean_score

LEVELS = (0.0, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class GateNoise:
    """The gate's reaction to noise on one modality.

    Attributes:
        modality: the one with noise.
        weights: by level, the mean weight of every modality over the clips.
        change: weight of the noisy modality at the highest level minus without noise, paired.
    """

    modality: str
    weights: dict[float, dict[str, Score]]
    change: Difference

    def line(self) -> str:
        """The finding in words."""
        d = self.change
        if d.ci_high < 0:
            how = "loses weight: the gate follows signal quality"
        elif d.ci_low > 0:
            how = "gains weight: the gate does the opposite of following signal quality"
        else:
            how = "keeps its weight: the gate does not follow signal quality"
        return (
            f"noise on {self.modality}: it {how} ({d.value:+.4f} [{d.ci_low:+.4f}, "
            f"{d.ci_high:+.4f}], {d.n} clips)"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "modality": self.modality,
            "weights": {
                f"{level:g}": {n: [s.value, s.ci_low, s.ci_high] for n, s in row.items()}
                for level, row in self.weights.items()
            },
            "change": {"value": self.change.value, "ci_low": self.change.ci_low,
                       "ci_high": self.change.ci_high, "clips": self.change.n},
        }  # fmt: skip


def gate_noise(
    artefact: Artefact,
    loaded: LoadedSamples,
    *,
    levels: Sequence[float] = LEVELS,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[GateNoise]:
    """Mean weights of all inputs with noise on each in turn.

    Clips that lack an input are left out: there the weights reflect what is present, not its
    quality.

    Raises:
        EmollamaError: the model has no gate, or fewer than two clips have all inputs.
    """
    names = [one.name for one in artefact.inputs]
    first = {row: loaded.gate_weights(row, "", 0.0, seed) for row in range(len(loaded.samples))}
    kept = {row: weights for row, weights in first.items() if weights is not None}
    if not kept:
        raise EmollamaError(
            f"{artefact.folder}: is {artefact.title} that has no gate over its modalities, or no "
            "clip has all of them; leave --noise out (hri_emo has a gate, and merbench_attention "
            "with two modalities or more)"
        )
    if len(kept) < 2:
        raise EmollamaError("fewer than two clips have all modalities; --noise needs two")
    clean = np.stack(list(kept.values()))
    found = []
    for k, name in enumerate(names):
        by_level = {
            level: clean if level == 0 else _weights(loaded, list(kept), name, level, seed)
            for level in levels
        }
        highest = by_level[max(levels)]
        found.append(
            GateNoise(
                name,
                {
                    level: {
                        n: mean_score(w[:, m], len(kept), resamples=resamples, seed=seed)
                        for m, n in enumerate(names)
                    }
                    for level, w in by_level.items()
                },
                mean_difference(highest[:, k], clean[:, k], resamples=resamples, seed=seed),
            )
        )
    return found


def _weights(
    loaded: LoadedSamples, rows: Sequence[int], noisy: str, level: float, seed: int
) -> np.ndarray:
    """Weights float64 [n, M] of rows with all inputs."""
    found = [loaded.gate_weights(row, noisy, level, seed) for row in rows]
    return np.stack([weights for weights in found if weights is not None])
