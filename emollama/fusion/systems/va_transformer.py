"""Valence-arousal transformer: all features of a frame, four encoder layers, a regressor.

Facts of the public system (ABAW 2022, situAI, branch RUCAIM3; arXiv 2203.13032). Here padding is
masked in attention; there, appended zeros changed the answers of valid frames.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from emollama.fusion.configuration import FusionConfig
from emollama.fusion.layers import Tokens
from emollama.fusion.modeling import FusionOutput
from emollama.fusion.systems.frame_model import (
    FrameEncoder,
    FrameModel,
    TransformerOptions,
    regressor,
)


class VaTransformerConfig(FusionConfig):
    """Configuration of `VaTransformer`."""

    model_type = "emollama_va_transformer"
    system = "va_transformer"
    options_class = TransformerOptions


class VaTransformer(FrameModel):
    """Linear, transformer encoder, regressor; nothing is carried between windows."""

    config_class = VaTransformerConfig

    def __init__(self, config: FusionConfig) -> None:
        super().__init__(config)
        o = TransformerOptions.model_validate(config.options)
        self.input = nn.Linear(self.width_in, o.width)
        self.encoder = FrameEncoder(o)
        self.output = regressor(o.width, o.regressor, o.regressor_dropout, config.width)
        self.post_init()

    def fuse(
        self,
        tokens: Mapping[str, Tokens],
        state: Mapping[str, Tensor] | None = None,
        explain: bool = False,
    ) -> FusionOutput:
        """Logits [B, L, W]; maps "i:frames>frames" [B, L, L]."""
        values, grid = self.frames(tokens)
        encoded, maps = self.encoder(self.input(values), grid.valid, explain)
        return FusionOutput(
            logits=self.output(encoded),
            valid=grid.valid,
            times=grid.times,
            maps=maps if explain else None,
        )
