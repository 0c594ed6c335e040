"""What the valence-arousal systems share: one grid of frames, carried recurrence, a regressor.

The modalities are put side by side frame by frame, on the frames of a reference modality. A batch
row is a stretch of one video; what a system carries over to the next stretch of the same rows is
`FusionOutput.state`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from emollama.config import Strict
from emollama.errors import EmollamaError, did_you_mean
from emollama.fusion.alignment import Grid, Resampling, reference_grid, resample
from emollama.fusion.blocks import EncoderLayer
from emollama.fusion.configuration import FusionConfig
from emollama.fusion.layers import Tokens
from emollama.fusion.modeling import FusionModel


class FrameOptions(Strict):
    """What all frame systems are told.

    `reference` is the modality whose frames are answered (where empty, the first; rows that lack
    it take the next present one); `resampling` is how the others come onto its times. `regressor`
    are the widths of the hidden layers before the answer, `regressor_dropout` stands behind each.
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

    width: int = Field(default=256, ge=2)
    heads: int = Field(default=4, ge=1)
    layers: int = Field(default=4, ge=1)
    hidden: int = Field(default=1024, ge=1)
    positions: bool = True

    @model_validator(mode="after")
    def _heads_divide(self) -> TransformerOptions:
        if self.width % self.heads or self.width % 2:
            raise ValueError(f"width {self.width} must be even and divide among the heads")
        return self


class FrameModel(FusionModel):
    """Frames of all modalities side by side; a subclass writes `fuse`.

    A modality that a row lacks is 0 there, the mean of the standardised features.
    """

    takes = ("track",)
    answers_frames = True

    def __init__(self, config: FusionConfig) -> None:
        super().__init__(config)
        options = config.checked_options(config.options)
        assert isinstance(options, FrameOptions)
        names = list(config.names)
        if options.reference and options.reference not in names:
            raise EmollamaError(
                f"fusion.options of {config.system}: reference '{options.reference}' is no "
                f"modality{did_you_mean(options.reference, names)}"
            )
        self.order = sorted(names, key=lambda n: n != (options.reference or names[0]))
        self.resampling = options.resampling
        self.encoders = nn.ModuleDict({n: nn.Identity() for n in names})
        self.width_in = sum(m.width for m in config.sections)

    def encode_one(self, name: str, values: Tensor, valid: Tensor, times: Tensor) -> Tokens:
        """The track as it is."""
        return Tokens(values, valid, times)

    def frames(self, tokens: Mapping[str, Tokens]) -> tuple[Tensor, Grid]:
        """All modalities on the reference's frames: [B, L, sum of widths], and their grid."""
        found, grid = self.aligned(tokens)
        like = next(iter(tokens.values())).values
        parts = [
            found[m.name].values if m.name in found else like.new_zeros(*grid.valid.shape, m.width)
            for m in self.config.sections
        ]
        return torch.cat(parts, dim=-1), grid

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
        """[B, L, d] to [B, L, d]; maps `layer{i}_self` [B, L, L] if `explain`."""
        if self.positions:
            place = (valid.cumsum(dim=1) - 1).clamp(min=0)
            values = values + sinusoids(place, values.shape[-1]).to(values.dtype)
        maps = {}
        for i, layer in enumerate(self.layers):
            values, weights = layer(values, valid, explain)
            if weights is not None:
                maps[f"layer{i}_self"] = weights
        return values, maps


def sinusoids(place: Tensor, width: int) -> Tensor:
    """Sine and cosine of each place (Vaswani et al. 2017): integers [...] to [..., width]."""
    octaves = torch.arange(0, width, 2, device=place.device, dtype=torch.float32)
    angle = place[..., None].float() * torch.exp(octaves * (-math.log(10_000.0) / width))
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2)


class CarriedLSTM(nn.Module):
    """A forward LSTM over valid steps whose state goes on into the next window.

    A step that is not valid is none: the state passes it by. State: `h` and `c` [B, 1, d].
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, hidden, batch_first=True)

    def forward(
        self, values: Tensor, valid: Tensor, state: Mapping[str, Tensor] | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """[B, L, width] to [B, L, hidden], 0 where not valid, and the state behind the window."""
        if state is None:
            nothing = values.new_zeros(len(values), 1, self.lstm.hidden_size)
            state = {"h": nothing, "c": nothing}
        before = tuple(state[k].transpose(0, 1).contiguous() for k in ("h", "c"))
        lengths = valid.sum(dim=1)
        order = (~valid).to(torch.int8).argsort(dim=1, stable=True)
        steps = values.gather(1, order[..., None].expand_as(values))
        packed = pack_padded_sequence(
            steps, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False
        )
        packed_out, after = self.lstm(packed, before)
        out = pad_packed_sequence(packed_out, batch_first=True, total_length=values.shape[1])[0]
        place = (valid.cumsum(dim=1) - 1).clamp(min=0)
        out = out.gather(1, place[..., None].expand(-1, -1, out.shape[-1]))
        stepped = (lengths > 0)[None, :, None]
        carried = {
            k: torch.where(stepped, new, old).transpose(0, 1)
            for k, new, old in zip(("h", "c"), after, before, strict=True)
        }
        return torch.where(valid[..., None], out, 0.0), carried


def regressor(width: int, hidden: Sequence[int], dropout: float, answers: int) -> nn.Sequential:
    """Linear, ReLU, dropout for each hidden width, then Linear to the answers."""
    layers: list[nn.Module] = []
    for size in hidden:
        layers += [nn.Linear(width, size), nn.ReLU(), nn.Dropout(dropout)]
        width = size
    return nn.Sequential(*layers, nn.Linear(width, answers))
