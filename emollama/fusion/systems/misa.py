"""MISA: modality-invariant and -specific representations (Hazarika et al. 2020), as in MERBench.

Every modality is projected twice, into a space of its own and into one that all share. Three losses
shape the spaces: shared spaces have similar distributions (central moment discrepancy, Zellinger et
al. 2017), private and shared ones are orthogonal, and both together reconstruct the modality.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import torch
from pydantic import Field
from torch import Tensor, nn

from emollama.fusion.blocks import EncoderLayer
from emollama.fusion.configuration import FusionConfig
from emollama.fusion.layers import Tokens
from emollama.fusion.modeling import FusionOutput
from emollama.fusion.systems.merbench import MERBenchModel, MERBenchOptions

_MOMENTS = 5


class MISAOptions(MERBenchOptions):
    """Weights of the losses: `similarity` between shared spaces, `difference` between the others,
    `reconstruction`. A loss of weight 0, and decoders that only it trains, are not built.
    """

    hidden: int = Field(default=128, ge=2, multiple_of=2)
    similarity: float = Field(default=0.1, ge=0)
    difference: float = Field(default=0.1, ge=0)
    reconstruction: float = Field(default=0.1, ge=0)


class MISAConfig(FusionConfig):
    """Configuration of `MISA`."""

    model_type = "emollama_misa"
    system = "misa"
    options_class = MISAOptions


class MISA(MERBenchModel):
    """Encoders, private and shared spaces, one transformer layer over all of them, two layers.

    Rows without a modality are left out of its losses; the layer does not see absent modalities.
    """

    config_class = MISAConfig

    def __init__(self, config: FusionConfig) -> None:
        super().__init__(config)
        options = MISAOptions.model_validate(config.options)
        hidden, names = options.hidden, config.names
        self.projections = nn.ModuleDict(
            {
                name: nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.LayerNorm(hidden))
                for name in names
            }
        )
        self.private = nn.ModuleDict(
            {name: nn.Sequential(nn.Linear(hidden, hidden), nn.Sigmoid()) for name in names}
        )
        self.shared = nn.Sequential(nn.Linear(hidden, hidden), nn.Sigmoid())
        self.decoders = nn.ModuleDict(
            {name: nn.Linear(hidden, hidden) for name in names if options.reconstruction}
        )
        self.layer = EncoderLayer(hidden, heads=2, hidden=2048, dropout=0.1)
        spaces = 2 * len(names)
        self.fusion = nn.Sequential(
            nn.Linear(spaces * hidden, spaces * hidden // 2),
            nn.Dropout(options.dropout),
            nn.ReLU(),
            nn.Linear(spaces * hidden // 2, hidden // 2),
        )
        self.output = nn.Linear(hidden // 2, config.width)
        self.post_init()

    def fuse(
        self,
        tokens: Mapping[str, Tokens],
        state: Mapping[str, Tensor] | None = None,
        explain: bool = False,
    ) -> FusionOutput:
        """All spaces through the layer, concatenated; `auxiliary` is the weighted sum of losses."""
        vectors, present = self.vectors(tokens)
        names = self.config.names
        projected = torch.stack(
            [self.projections[n](vectors[:, i]) for i, n in enumerate(names)], 1
        )
        private = torch.stack([self.private[n](projected[:, i]) for i, n in enumerate(names)], 1)
        shared = self.shared(projected)

        both = torch.cat([private, shared], dim=1)
        there = torch.cat([present, present], dim=1)
        attended, _ = self.layer(both, there)
        features = self.fusion(torch.where(there[..., None], attended, 0.0).flatten(1))
        return FusionOutput(
            logits=self.output(features),
            features=features,
            auxiliary=self._losses(projected, private, shared, present),
        )

    def _losses(
        self, projected: Tensor, private: Tensor, shared: Tensor, present: Tensor
    ) -> Tensor:
        options = self.config.options
        total = projected.sum() * 0
        count = present.shape[1]
        pairs = list(combinations(range(count), 2))
        both = {pair: present[:, pair[0]] & present[:, pair[1]] for pair in pairs}
        if options["similarity"] and pairs:
            each = [_discrepancy(shared[both[i, j], i], shared[both[i, j], j]) for i, j in pairs]
            total = total + options["similarity"] * torch.stack(each).mean()
        if options["difference"]:
            for i in range(count):
                rows = present[:, i]
                apart = _overlap(private[rows, i], shared[rows, i])
                total = total + options["difference"] * apart
            for i, j in pairs:
                apart = _overlap(private[both[i, j], i], private[both[i, j], j])
                total = total + options["difference"] * apart
        for i, decoder in enumerate(self.decoders.values()):
            rows = present[:, i]
            error = decoder((private + shared)[rows, i]) - projected[rows, i]
            mean = (error**2).sum() / max(1, error.numel())
            total = total + options["reconstruction"] * mean / count
        return total


def _discrepancy(a: Tensor, b: Tensor) -> Tensor:
    """Central moment discrepancy of two samples [N, d] in 0..1; 0 for no rows."""
    if not len(a):
        return a.sum() * 0
    mean_a, mean_b = a.mean(0), b.mean(0)
    # vector_norm's gradient is 0 at 0, where that of a square root of a sum of squares is NaN.
    total = torch.linalg.vector_norm(mean_a - mean_b)
    for power in range(2, _MOMENTS + 1):
        gap = ((a - mean_a) ** power).mean(0) - ((b - mean_b) ** power).mean(0)
        total = total + torch.linalg.vector_norm(gap)
    return total


def _overlap(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared entry of A'B, of centred rows [N, d] of length 1; 0 for no rows."""
    if not len(a):
        return a.sum() * 0
    a, b = a - a.mean(0), b - b.mean(0)
    a = a / (a.norm(dim=1, keepdim=True).detach() + 1e-6)
    b = b / (b.norm(dim=1, keepdim=True).detach() + 1e-6)
    return ((a.T @ b) ** 2).mean()
