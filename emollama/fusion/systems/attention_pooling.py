"""Attention pooling: a learned weighted mean over time of each modality, side by side.

The second of the MELD project's systems (union-point/emotion_detection). Only sequences are
weighted: a modality with one vector per clip is copied.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field
from torch import Tensor, nn

from emollama.base.config import Strict
from emollama.fusion.configuration import FusionConfig
from emollama.fusion.layers import AttentionPool, Tokens, side_by_side
from emollama.fusion.modeling import FusionModel, FusionOutput


class AttentionPoolingOptions(Strict):
    """`dropout` is applied before the linear layer."""

    dropout: float = Field(default=0.1, ge=0, lt=1)


class AttentionPoolingConfig(FusionConfig):
    """Configuration of `AttentionPooling`."""

    model_type = "emollama_attention_pooling"
    system = "attention_pooling"
    options_class = AttentionPoolingOptions


class AttentionPooling(FusionModel):
    """Softmax pooling over valid steps, concatenation, dropout, linear.

    Columns of an absent modality are 0. Maps: "pool:modality" [B, L].
    """

    config_class = AttentionPoolingConfig

    def __init__(self, config: FusionConfig) -> None:
        super().__init__(config)
        self.pools = nn.ModuleDict({name: AttentionPool(w) for name, w in self.widths.items()})
        self.dropout = nn.Dropout(config.options["dropout"])
        self.output = nn.Linear(sum(self.widths.values()), config.width)
        self.post_init()

    def fuse(
        self,
        tokens: Mapping[str, Tokens],
        state: Mapping[str, Tensor] | None = None,
        explain: bool = False,
    ) -> FusionOutput:
        """Pooled vectors side by side."""
        parts, maps = {}, {}
        for name, track in tokens.items():
            parts[name], maps[f"pool:{name}"] = self.pools[name](track.values, track.valid)
        features = side_by_side(parts, self.widths)
        return FusionOutput(
            logits=self.output(self.dropout(features)),
            features=features,
            maps=maps if explain else None,
        )
