"""TFN: the tensor fusion network (Zadeh et al. 2017), as in MERBench.

All products between modalities, with a constant 1 beside each that includes the products of fewer
modalities and is all that remains of an absent one. With M modalities of width h the first layer
reads (h + 1)^M numbers: 276 million parameters with three of 128.
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


class TFNOptions(MERBenchOptions):
    """The width is smaller than elsewhere: the parameters grow with its cube."""

    hidden: int = Field(default=64, ge=1)


class TFNConfig(FusionConfig):
    """Configuration of `TFN`."""

    model_type = "emollama_tfn"
    system = "tfn"
    options_class = TFNOptions


class TFN(MERBenchModel):
    """Encoders, outer product, dropout, two layers with ReLU, linear."""

    config_class = TFNConfig

    def __init__(self, config: FusionConfig) -> None:
        super().__init__(config)
        hidden = config.options["hidden"]
        self.fusion = nn.Sequential(
            nn.Dropout(config.options["dropout"]),
            nn.Linear((hidden + 1) ** len(config.names), hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
        )
        self.output = nn.Linear(hidden, config.width)
        self.post_init()

    def fuse(
        self,
        tokens: Mapping[str, Tokens],
        state: Mapping[str, Tensor] | None = None,
        explain: bool = False,
    ) -> FusionOutput:
        """The outer product of all modalities, flattened."""
        vectors, _ = self.vectors(tokens)
        vectors = torch.cat([torch.ones_like(vectors[..., :1]), vectors], dim=-1)
        product = vectors[:, 0]
        for i in range(1, vectors.shape[1]):
            product = (product[:, :, None] * vectors[:, i, None, :]).flatten(1)
        features = self.fusion(product)
        return FusionOutput(logits=self.output(features), features=features)
