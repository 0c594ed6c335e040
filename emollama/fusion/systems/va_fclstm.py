"""fcLSTM-XL for valence and arousal: a linear layer, a wide LSTM with a carried state, a regressor.

Facts of the public system (ABAW 2022, situAI, branch RUCAIM3; arXiv 2203.13032).
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field
from torch import Tensor, nn

from emollama.fusion.configuration import FusionConfig
from emollama.fusion.layers import CarriedLSTM, Tokens
from emollama.fusion.modeling import FusionOutput
from emollama.fusion.systems.frame_model import FrameModel, FrameOptions, regressor


class VaFcLSTMOptions(FrameOptions):
    """`width` of the linear layer and of the LSTM."""

    width: int = Field(default=512, ge=1)
    regressor: tuple[int, ...] = (512, 256)


class VaFcLSTMConfig(FusionConfig):
    """Configuration of `VaFcLSTM`."""

    model_type = "emollama_va_fclstm"
    system = "va_fclstm"
    options_class = VaFcLSTMOptions


class VaFcLSTM(FrameModel):
    """Linear with ReLU, LSTM across windows, regressor.

    A video cut into windows with carried state gives the same answers as the whole video.
    """

    config_class = VaFcLSTMConfig

    def __init__(self, config: FusionConfig) -> None:
        super().__init__(config)
        o = VaFcLSTMOptions.model_validate(config.options)
        self.input = nn.Sequential(
            nn.Linear(self.width_in, o.width), nn.ReLU(), nn.Dropout(o.dropout)
        )
        self.lstm = CarriedLSTM(o.width, o.width)
        self.output = regressor(o.width, o.regressor, o.regressor_dropout, config.width)
        self.post_init()

    def fuse(
        self,
        tokens: Mapping[str, Tokens],
        state: Mapping[str, Tensor] | None = None,
        explain: bool = False,
    ) -> FusionOutput:
        """Logits [B, L, W]; the state is `h` and `c` [B, 1, width]. There are no maps."""
        values, grid = self.frames(tokens)
        recurrent, carried = self.lstm(self.input(values), grid.valid, state)
        return FusionOutput(
            logits=self.output(recurrent),
            valid=grid.valid,
            times=grid.times,
            maps={} if explain else None,
            state=carried,
        )
