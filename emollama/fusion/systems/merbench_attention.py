"""MERBench's attention: a weight for each modality, computed from all, and the weighted sum.

The first of MERBench's systems (Lian et al. 2024, zeroQiaoba/MERTools) and the one used for its
feature rankings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from torch import Tensor, nn

from emollama.fusion.configuration import FusionConfig
from emollama.fusion.layers import MLPEncoder, Tokens, masked_softmax
from emollama.fusion.modeling import FusionOutput
from emollama.fusion.systems.merbench import MERBenchModel, MERBenchOptions


class MERBenchAttentionOptions(MERBenchOptions):
    """`weights`: "softmax" over the present modalities, or the original's "raw" numbers."""

    weights: Literal["softmax", "raw"] = "softmax"


class MERBenchAttentionConfig(FusionConfig):
    """Configuration of `MERBenchAttention`."""

    model_type = "emollama_merbench_attention"
    system = "merbench_attention"
    options_class = MERBenchAttentionOptions


class MERBenchAttention(MERBenchModel):
    """Encoders, weights from their concatenation, weighted sum, linear.

    An absent modality enters the weights as 0 and gets no weight. A single modality under softmax
    needs no weights, so no layer is built for them.

    Maps: "modalities" [B, M].
    """

    config_class = MERBenchAttentionConfig

    def __init__(self, config: FusionConfig) -> None:
        super().__init__(config)
        hidden, count = config.options["hidden"], len(config.names)
        self.raw = config.options["weights"] == "raw"
        self.weigher = (
            nn.Sequential(
                MLPEncoder(hidden * count, hidden, config.options["dropout"]),
                nn.Linear(hidden, count),
            )
            if self.raw or count > 1
            else None
        )
        self.output = nn.Linear(hidden, config.width)
        self.post_init()

    def fuse(
        self,
        tokens: Mapping[str, Tokens],
        state: Mapping[str, Tensor] | None = None,
        explain: bool = False,
    ) -> FusionOutput:
        """Weights, and the weighted sum."""
        vectors, present = self.vectors(tokens)
        if self.weigher is None:
            weights = present.to(vectors.dtype)
        else:
            scores = self.weigher(vectors.flatten(1))
            weights = scores * present if self.raw else masked_softmax(scores, present)
        features = (weights[..., None] * vectors).sum(dim=1)
        return FusionOutput(
            logits=self.output(features),
            features=features,
            maps={"modalities": weights} if explain else None,
        )
