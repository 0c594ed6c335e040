"""Fine-grained fusion: every modality's steps attend to every other's, then attention pooling.

The third of the MELD project's systems (union-point/emotion_detection), in which text queries audio
and audio queries text. The result is added to each modality.

With three modalities each queries both others; a single one queries itself. In a row without a
modality its result is 0, so that only the residual remains.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field
from torch import Tensor, nn

from emollama.fusion.configuration import AttentionOptions, FusionConfig
from emollama.fusion.layers import (
    Attention,
    AttentionPool,
    Tokens,
    directed_pairs,
    side_by_side,
)
from emollama.fusion.modeling import FusionModel, FusionOutput


class FineGrainedOptions(AttentionOptions):
    """`width` of the common space, `heads` of each attention, `dropout` in attention and head."""

    dropout: float = Field(default=0.1, ge=0, lt=1)


class FineGrainedConfig(FusionConfig):
    """Configuration of `FineGrained`."""

    model_type = "emollama_fine_grained"
    system = "fine_grained"
    options_class = FineGrainedOptions


class FineGrained(FusionModel):
    """Linear projections, cross-attention in both directions, attention pooling, linear.

    Maps: "query>key" [B, Lq, Lk] and "pool:modality" [B, L].
    """

    config_class = FineGrainedConfig

    def __init__(self, config: FusionConfig) -> None:
        super().__init__(config)
        options = FineGrainedOptions.model_validate(config.options)
        self.common_width = options.width
        self.encoders = nn.ModuleDict(
            {name: nn.Linear(width, options.width) for name, width in self.widths.items()}
        )
        self.pairs = directed_pairs(config.names)
        self.attentions = nn.ModuleDict(
            {
                f"{query}>{key}": Attention(options.width, options.heads, options.dropout)
                for query, key in self.pairs
            }
        )
        self.pools = nn.ModuleDict({name: AttentionPool(options.width) for name in config.names})
        self.dropout = nn.Dropout(options.dropout)
        self.output = nn.Linear(options.width * len(config.names), config.width)
        self.post_init()

    def fuse(
        self,
        tokens: Mapping[str, Tokens],
        state: Mapping[str, Tensor] | None = None,
        explain: bool = False,
    ) -> FusionOutput:
        """Attend, add, pool; columns of an absent modality are 0."""
        maps: dict[str, Tensor] = {}
        summed = {name: one.values for name, one in tokens.items()}
        for query, key in self.pairs:
            if query not in tokens or key not in tokens:
                continue
            attended, weights = self.attentions[f"{query}>{key}"](
                tokens[query].values, tokens[key].values, tokens[key].valid, explain
            )
            summed[query] = summed[query] + attended
            if weights is not None:
                maps[f"{query}>{key}"] = weights
        parts = {}
        for name, track in tokens.items():
            parts[name], maps[f"pool:{name}"] = self.pools[name](summed[name], track.valid)
        features = side_by_side(parts, dict.fromkeys(self.config.names, self.common_width))
        return FusionOutput(
            logits=self.output(self.dropout(features)),
            features=features,
            maps=maps if explain else None,
        )
