"""Valence-arousal transformer followed by an LSTM, whose state is carried from window to window.

Facts of the public system (ABAW 2022, situAI, branch RUCAIM3; arXiv 2203.13032).
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from emollama.fusion.configuration import FusionConfig
from emollama.fusion.layers import CarriedLSTM, Tokens
from emollama.fusion.modeling import FusionOutput
from emollama.fusion.systems.frame_model import (
    FrameEncoder,
    FrameModel,
    TransformerOptions,
    regressor,
)


class VaTransformerLSTMOptions(TransformerOptions):
    """`residual` adds the frame's projected features to the transformer's output."""

    residual: bool = True


class VaTransformerLSTMConfig(FusionConfig):
    """Configuration of `VaTransformerLSTM`."""

    model_type = "emollama_va_transformer_lstm"
    system = "va_transformer_lstm"
    options_class = VaTransformerLSTMOptions


class VaTransformerLSTM(FrameModel):
    """Linear with ReLU, transformer within the window, LSTM across windows, regressor."""

    config_class = VaTransformerLSTMConfig

    def __init__(self, config: FusionConfig) -> None:
        super().__init__(config)
        o = VaTransformerLSTMOptions.model_validate(config.options)
        self.input = nn.Sequential(
            nn.Linear(self.width_in, o.width), nn.ReLU(), nn.Dropout(o.dropout)
        )
        self.encoder = FrameEncoder(o)
        self.residual = o.residual
        self.lstm = CarriedLSTM(o.width, o.width)
        self.output = regressor(o.width, o.regressor, o.regressor_dropout, config.width)
        self.post_init()

    def fuse(
        self,
        tokens: Mapping[str, Tokens],
        state: Mapping[str, Tensor] | None = None,
        explain: bool = False,
    ) -> FusionOutput:
        """Logits [B, L, W]; state `h` and `c` [B, 1, width]; maps "i:frames>frames" [B, L, L]."""
        values, grid = self.frames(tokens)
        projected = self.input(values)
        encoded, maps = self.encoder(projected, grid.valid, explain)
        if self.residual:
            encoded = encoded + projected
        recurrent, carried = self.lstm(encoded, grid.valid, state)
        return FusionOutput(
            logits=self.output(recurrent),
            valid=grid.valid,
            times=grid.times,
            maps=maps if explain else None,
            state=carried,
        )
