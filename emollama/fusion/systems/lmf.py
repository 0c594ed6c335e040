"""LMF: low-rank multimodal fusion (Liu et al. 2018), as in MERBench.

The tensor of all products between modalities is never built: each modality has `rank` matrices, and
the sum of their products equals a low-rank weight of that tensor. A constant 1 beside each modality
includes the products of fewer modalities, and is all that remains of an absent one.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn

from emollama.fusion.configuration import FusionConfig
from emollama.fusion.layers import Tokens
from emollama.fusion.modeling import FusionOutput
from emollama.fusion.systems.merbench import MERBenchModel, MERBenchOptions


class LMFOptions(MERBenchOptions):
    """`rank`: number of products to sum."""

    hidden: int = Field(default=128, ge=2)
    rank: int = Field(default=4, ge=1)


class LMFConfig(FusionConfig):
    """Configuration of `LMF`."""

    model_type = "emollama_lmf"
    system = "lmf"
    options_class = LMFOptions


class LMF(MERBenchModel):
    """Encoders, low-rank factors to half the width, weighted sum over ranks, linear."""

    config_class = LMFConfig

    def __init__(self, config: FusionConfig) -> None:
        super().__init__(config)
        hidden, rank = config.options["hidden"], config.options["rank"]
        self.factors = nn.ParameterDict(
            {
                name: nn.init.xavier_normal_(
                    nn.Parameter(torch.empty(rank, hidden + 1, hidden // 2))
                )
                for name in config.names
            }
        )
        self.rank_weights = nn.init.xavier_normal_(nn.Parameter(torch.empty(1, rank)))
        self.bias = nn.Parameter(torch.zeros(hidden // 2))
        self.output = nn.Linear(hidden // 2, config.width)
        self.post_init()

    def fuse(
        self,
        tokens: Mapping[str, Tokens],
        state: Mapping[str, Tensor] | None = None,
        explain: bool = False,
    ) -> FusionOutput:
        """The product over modalities for each rank, summed."""
        vectors, _ = self.vectors(tokens)
        vectors = torch.cat([torch.ones_like(vectors[..., :1]), vectors], dim=-1)
        product = torch.ones_like(self.bias)
        for i, name in enumerate(self.config.names):
            product = product * torch.einsum("bh,rho->bro", vectors[:, i], self.factors[name])
        features = torch.einsum("r,bro->bo", self.rank_weights[0], product) + self.bias
        return FusionOutput(logits=self.output(features), features=features)
