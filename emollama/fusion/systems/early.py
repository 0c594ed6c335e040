"""Early fusion: each modality's mean over time, side by side, through one linear layer.

The first of the MELD project's four systems (union-point/emotion_detection), where it reads
RoBERTa's pooled output and wav2vec 2.0's mean frame.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field
from torch import Tensor, nn

from emollama.base.config import Strict
from emollama.fusion.configuration import FusionConfig
from emollama.fusion.layers import Tokens, masked_mean, side_by_side
from emollama.fusion.modeling import FusionModel, FusionOutput


class EarlyOptions(Strict):
    """`dropout` is applied before the linear layer."""

    dropout: float = Field(default=0.1, ge=0, lt=1)


class EarlyConfig(FusionConfig):
    """Configuration of `Early`."""

    model_type = "emollama_early"
    system = "early"
    options_class = EarlyOptions


class Early(FusionModel):
    """Mean over time, concatenation, dropout, linear; an absent modality adds nothing."""

    config_class = EarlyConfig

    def __init__(self, config: FusionConfig) -> None:
        super().__init__(config)
        self.dropout = nn.Dropout(config.options["dropout"])
        self.output = nn.Linear(sum(self.widths.values()), config.width)
        self.post_init()

    def fuse(
        self,
        tokens: Mapping[str, Tokens],
        state: Mapping[str, Tensor] | None = None,
        explain: bool = False,
    ) -> FusionOutput:
        """Columns of an absent modality are 0, the mean of the standardised features."""
        means = {name: masked_mean(track.values, track.valid) for name, track in tokens.items()}
        features = side_by_side(means, self.widths)
        return FusionOutput(logits=self.output(self.dropout(features)), features=features)
