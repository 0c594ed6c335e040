"""Shared by the valence-arousal systems: one grid of frames, an encoder of it, a regressor.

The modalities are concatenated frame by frame, on the frames of a reference modality. A batch row
is a window of one video; the state carried to the next window of the same rows is
`FusionOutput.state`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field, model_validator
from torch import Tensor, nn

from emollama.base.config import Strict
from emollama.base.errors import EmollamaError, did_you_mean
from emollama.fusion.alignment import Grid, Resampling, reference_grid, resample
from emollama.fusion.blocks import EncoderLayer
from emollama.fusion.configuration import FusionConfig
from emollama.fusion.layers import Tokens, places, require_whole_heads, side_by_side, sinusoids
from emollama.fusion.modeling import FusionModel


class FrameOptions(Strict):
    """Options of all frame systems.

    `reference` is the modality whose frames are answered (by default the first; rows that lack it
    use the next present one); `resampling` is how the others are brought to its times. `regressor`
    lists the widths of the hidden layers before the answer, `regressor_dropout` follows each.
    """

    reference: str = ""
    resampling: Resampling = "linear"
    dropout: float = Field(default=0.1, ge=0, lt=1)
    regressor: tuple[int, ...] = (256, 256)
    regressor_dropout: float = Field(default=0.3, ge=0, lt=1)

    @model_validator(mode="after")
    def _widths(self) -> FrameOptions:
        if any(width < 1 for width in self.regressor):
            raise ValueError("regressor: widths must be at least 1")
        return self


class TransformerOptions(FrameOptions):
    """Options of the systems with a transformer; `positions` adds sinusoids of the frame's place.

    The place counts from the beginning of the window.
    """

    width: int = Field(default=256, ge=2, multiple_of=2)
    heads: int = Field(default=4, ge=1)
    layers: int = Field(default=4, ge=1)
    hidden: int = Field(default=1024, ge=1)
    positions: bool = True

    @model_validator(mode="after")
    def _heads_divide(self) -> TransformerOptions:
        require_whole_heads(self.width, self.heads)
        return self


class FrameModel(FusionModel):
    """Frames of all modalities side by side; a subclass writes `fuse`.

    A modality that a row lacks is 0, the mean of the standardised features.
    """

    answers_frames = True

    def __init__(self, config: FusionConfig) -> None:
        super().__init__(config)
        names = list(config.names)
        reference = config.options["reference"] or names[0]
        if reference not in names:
            raise EmollamaError(
                f"fusion.options of {config.system}: reference '{reference}' is not a "
                f"modality{did_you_mean(reference, names)}"
            )
        self.order = sorted(names, key=lambda name: name != reference)
        self.resampling: Resampling = config.options["resampling"]
        self.width_in = sum(self.widths.values())

    def frames(self, tokens: Mapping[str, Tokens]) -> tuple[Tensor, Grid]:
        """All modalities on the reference's frames: [B, L, sum of widths], and their grid."""
        found, grid = self.aligned(tokens)
        return side_by_side({n: t.values for n, t in found.items()}, self.widths), grid

    def aligned(self, tokens: Mapping[str, Tokens]) -> tuple[dict[str, Tokens], Grid]:
        """Each modality [B, L, width] on the reference's frames, and these.

        Aligned once more, alone or cut into windows, they stay as they are.
        """
        grid = reference_grid(tokens, self.order)
        return {
            name: Tokens(
                resample(track, grid, name, self.resampling),
                grid.valid & track.present[:, None],
                grid.times,
            )
            for name, track in tokens.items()
        }, grid


class FrameEncoder(nn.Module):
    """Post-norm transformer over the valid frames of a window, with sinusoids of their place."""

    def __init__(self, options: TransformerOptions) -> None:
        super().__init__()
        o = options
        self.positions = o.positions
        self.layers = nn.ModuleList(
            EncoderLayer(o.width, o.heads, o.hidden, o.dropout) for _ in range(o.layers)
        )

    def forward(
        self, values: Tensor, valid: Tensor, explain: bool = False
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """[B, L, d] to [B, L, d]; maps "i:frames>frames" [B, L, L] of layer i if `explain`."""
        if self.positions:
            values = values + sinusoids(places(valid), values.shape[-1]).to(values.dtype)
        maps = {}
        for i, layer in enumerate(self.layers):
            values, weights = layer(values, valid, explain)
            if weights is not None:
                maps[f"{i}:frames>frames"] = weights
        return values, maps


def regressor(width: int, hidden: Sequence[int], dropout: float, answers: int) -> nn.Sequential:
    """Linear, ReLU, dropout for each hidden width, then Linear to the answers."""
    layers: list[nn.Module] = []
    for size in hidden:
        layers += [nn.Linear(width, size), nn.ReLU(), nn.Dropout(dropout)]
        width = size
    return nn.Sequential(*layers, nn.Linear(width, answers))
