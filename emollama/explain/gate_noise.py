"""Does a gate follow signal quality? Noise on one modality, and the weight that it then gets.

HRI-EMO's β and the modality weights of MERBench's attention model are offered as "how much each
modality counts". If that is so, a modality that is drowned in noise loses weight. Noise is added to
its track in standardised units: level 1 has each column's own deviation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from emollama.base.errors import EmollamaError
from emollama.fusion.artefact import MAIN, FusionArtefact
from emollama.fusion.batch import FusionBatch
from emollama.fusion.data.data import FusionData
from emollama.fusion.data.track_table import TrackTable
from emollama.scoring.metrics.bootstrap import RESAMPLES
from emollama.scoring.metrics.metrics import Difference, Score, mean_difference, mean_score

LEVELS = (0.0, 0.5, 1.0, 2.0, 4.0)
GATES = ("beta", "modalities")
"""Maps that weigh the modalities: [B, M, d] or [B, M], in the order of the configuration."""


@dataclass(frozen=True)
class GateNoise:
    """What a gate does when one modality is noisy.

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
    artefact: FusionArtefact,
    data: FusionData,
    *,
    levels: Sequence[float] = LEVELS,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[GateNoise]:
    """Mean weights of all modalities with noise on each in turn.

    Clips that lack a modality are left out: there the weights say what is there, not how good.

    Raises:
        EmollamaError: the system has no gate, or no two clips have all modalities.
    """
    names = artefact.config.names
    kept = [i for i in range(len(data)) if all(int(data.tracks[n].length[i]) > 0 for n in names)]
    if len(kept) < 2:
        raise EmollamaError("fewer than two clips have all modalities: nothing to weigh")
    clean = _weights(artefact, data, kept, "", 0.0, seed)
    found = []
    for k, name in enumerate(names):
        by_level = {
            level: clean if level == 0 else _weights(artefact, data, kept, name, level, seed)
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
    artefact: FusionArtefact,
    data: FusionData,
    rows: Sequence[int],
    noisy: str,
    level: float,
    seed: int,
) -> np.ndarray:
    """Weights float64 [n, M] of rows, mean over the gate's dimensions."""
    table = data.tracks[noisy] if level else None
    if table is not None and not isinstance(table, TrackTable):
        raise EmollamaError(
            f"modality '{noisy}': noise is put on cached tracks, and this is raw media; leave "
            "--noise out"
        )
    moments = None if table is None else table.moments()
    found = []
    for i in rows:
        batch = data.batch([i])
        if moments is not None:
            # Each clip's noise is its own, and the same at every level but for its size.
            draw = torch.Generator().manual_seed(seed * 1_000_003 + i)
            noise = torch.randn(batch.values[noisy].shape, generator=draw)
            values = batch.values[noisy] + level * moments[1] * noise
            batch = replace(batch, values={**batch.values, noisy: values})
        weights = _gate(artefact, batch)
        if weights is None:
            raise EmollamaError(
                f"{artefact.config.system}: has no gate that weighs its modalities; "
                "hri_emo and merbench_attention with two or more have"
            )
        found.append(weights)
    return np.concatenate(found)


@torch.no_grad()
def _gate(artefact: FusionArtefact, batch: FusionBatch) -> np.ndarray | None:
    model = artefact.models[MAIN]
    device = next(model.parameters()).device
    maps = model(batch.to(device), explain=True).maps or {}
    for name in GATES:
        if name in maps and maps[name].shape[1] == len(artefact.config.names):
            count = len(artefact.config.names)
            weights = maps[name].double().flatten(1).unflatten(1, (count, -1)).mean(-1)
            return np.asarray(weights.cpu())
    return None
