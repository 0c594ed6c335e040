"""Layers that several systems share: standardiser, encoders, masked pooling and attention.

All of them take a validity mask, True where valid, and give results that do not depend on the
values at invalid positions, on their number, or on the other rows of the batch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from emollama.base.errors import require_known

Pooling = Literal["cls", "mean", "max", "min"]


@dataclass(frozen=True)
class Tokens:
    """One modality after its encoder: values [B, L, d], valid [B, L], times [B, L] in seconds."""

    values: Tensor
    valid: Tensor
    times: Tensor

    @property
    def present(self) -> Tensor:
        """Bool [B]: which rows have anything."""
        return self.valid.any(dim=1)


class MLPEncoder(nn.Module):
    """MERBench's utterance encoder: dropout, then three times Linear and ReLU."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(width, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
        )

    def forward(self, values: Tensor) -> Tensor:
        """[..., width] to [..., hidden]."""
        encoded: Tensor = self.layers(values)
        return encoded


class LSTMEncoder(nn.Module):
    """MERBench's frame encoder: an LSTM's state after the last valid step, dropout, Linear."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.lstm = CarriedLSTM(width, hidden)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden, hidden)

    def forward(self, values: Tensor, valid: Tensor) -> Tensor:
        """[B, L, width] to [B, hidden]; without a valid step the state is zero."""
        _, after = self.lstm(values, valid)
        encoded: Tensor = self.output(self.dropout(after["h"][:, 0]))
        return encoded


class CarriedLSTM(nn.Module):
    """A forward LSTM over valid steps, whose state can be carried into the next window.

    Invalid steps are skipped and leave the state unchanged. State: `h` and `c` [B, 1, hidden].
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, hidden, batch_first=True)

    def forward(
        self, values: Tensor, valid: Tensor, state: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """[B, L, width] to [B, L, hidden], 0 where not valid, and the state after the last step."""
        if state is None:
            nothing = values.new_zeros(len(values), 1, self.lstm.hidden_size)
            state = {"h": nothing, "c": nothing}
        before = tuple(state[k].transpose(0, 1).contiguous() for k in ("h", "c"))
        lengths = valid.sum(dim=1)
        packed = pack_padded_sequence(
            gather_steps(values, valid_first(valid)),
            lengths.clamp(min=1).cpu(),
            batch_first=True,
            enforce_sorted=False,
        )
        packed_out, after = self.lstm(packed, before)
        out = pad_packed_sequence(packed_out, batch_first=True, total_length=values.shape[1])[0]
        stepped = (lengths > 0)[None, :, None]
        carried = {
            k: torch.where(stepped, new, old).transpose(0, 1)
            for k, new, old in zip(("h", "c"), after, before, strict=True)
        }
        return torch.where(valid[..., None], gather_steps(out, places(valid)), 0.0), carried


def places(valid: Tensor) -> Tensor:
    """Index [B, L] of each step among its row's valid steps, from 0; arbitrary where not valid."""
    return (valid.cumsum(dim=1) - 1).clamp(min=0)


def valid_first(valid: Tensor) -> Tensor:
    """Indices [B, L] that move the valid steps to the front, in order."""
    return (~valid).to(torch.int8).argsort(dim=1, stable=True)


def gather_steps(values: Tensor, index: Tensor) -> Tensor:
    """Steps of [B, L, ...] at indices [B, Q]: [B, Q, ...]."""
    inner = values.shape[2:]
    return values.gather(1, index.reshape(*index.shape, *[1] * len(inner)).expand(-1, -1, *inner))


def mean_by(values: Tensor, valid: Tensor, index: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Means [B, count, d] of the valid steps with the same index, and which of them exist.

    Args:
        values: [B, L, d].
        valid: bool [B, L].
        index: int64 [B, L], below `count`.
        count: number of means per row.
    """
    kept = torch.where(valid[..., None], values, 0.0)
    total = values.new_zeros(len(values), count, values.shape[-1])
    total = total.scatter_add(1, index[..., None].expand_as(kept), kept)
    steps = values.new_zeros(len(values), count).scatter_add(1, index, valid.to(values.dtype))
    return total / steps.clamp(min=1)[..., None], steps > 0


def side_by_side(parts: Mapping[str, Tensor], widths: Mapping[str, int]) -> Tensor:
    """Modalities [..., width] concatenated in the order of `widths`; an absent one is 0."""
    some = next(iter(parts.values()))
    return torch.cat(
        [
            parts[name] if name in parts else some.new_zeros(*some.shape[:-1], width)
            for name, width in widths.items()
        ],
        dim=-1,
    )


def compact(tokens: Tokens) -> Tokens:
    """Valid steps first, then zeros: a step's index no longer depends on the padding."""
    order = valid_first(tokens.valid)
    valid = gather_steps(tokens.valid, order)
    values = gather_steps(tokens.values, order).masked_fill(~valid[..., None], 0)
    return Tokens(values, valid, gather_steps(tokens.times, order))


def sinusoids(place: Tensor, width: int) -> Tensor:
    """Sines and cosines (Vaswani et al. 2017) of places [...]: [..., width]; width is even."""
    octaves = torch.arange(0, width, 2, device=place.device, dtype=torch.float32)
    angle = place[..., None].float() * torch.exp(octaves * (-math.log(10_000.0) / width))
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2)


def directed_pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """Every (query, key) pair of modalities; a single modality is paired with itself."""
    if len(names) == 1:
        return [(names[0], names[0])]
    return [(query, key) for query in names for key in names if query != key]


def masked_mean(values: Tensor, valid: Tensor) -> Tensor:
    """Mean over valid steps: [B, L, d] to [B, d]; 0 for a row without any."""
    if values.shape[1] == 1:
        # Utterance vectors; the sums below would be a good part of a small model's step.
        return torch.where(valid, values[:, 0], 0.0)
    weight = valid[..., None].to(values.dtype)
    return torch.where(valid[..., None], values, 0.0).sum(1) / weight.sum(1).clamp(min=1)


def masked_pool(values: Tensor, valid: Tensor, how: Pooling) -> Tensor:
    """[B, L, d] to [B, d] over valid steps: the first ("cls"), mean, max or min; 0 for none."""
    require_known("pooling", how, get_args(Pooling))
    if how == "mean":
        return masked_mean(values, valid)
    if how == "cls":
        first = valid.to(torch.int8).argmax(dim=1)
        pooled = values[torch.arange(len(values), device=values.device), first]
    else:
        floor = torch.finfo(values.dtype).max
        if how == "max":
            pooled = values.masked_fill(~valid[..., None], -floor).amax(dim=1)
        else:
            pooled = values.masked_fill(~valid[..., None], floor).amin(dim=1)
    return torch.where(valid.any(dim=1, keepdim=True), pooled, 0.0)


class AttentionPool(nn.Module):
    """Softmax of a learned score over valid steps, then their weighted sum.

    The score has no bias: softmax would cancel it, and it would never get a gradient.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1, bias=False)

    def forward(self, values: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Pooled [B, d] (0 for an empty row) and weights [B, L]."""
        weights = masked_softmax(self.score(values).squeeze(-1), valid)
        return (weights[..., None] * torch.where(valid[..., None], values, 0.0)).sum(1), weights


def masked_softmax(scores: Tensor, valid: Tensor) -> Tensor:
    """Softmax over the valid entries of the last dimension; all 0 if none is valid."""
    filled = scores.masked_fill(~valid, torch.finfo(scores.dtype).min)
    return torch.where(valid, filled.softmax(dim=-1), 0.0)


def require_whole_heads(width: int, heads: int, name: str = "width") -> None:
    """Raise a ValueError for the option of this name unless it is a multiple of `heads`."""
    if width % heads:
        raise ValueError(f"{name} {width} must be a multiple of heads ({heads})")


class Attention(nn.Module):
    """Multi-head attention (Vaswani et al. 2017) over valid keys only.

    A query without a valid key gets 0 (not NaN); its weights are all 0.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.attention = nn.MultiheadAttention(width, heads, dropout=dropout, batch_first=True)

    def forward(
        self, queries: Tensor, keys: Tensor, valid: Tensor, explain: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Attended [B, Lq, d] and, if `explain`, head-averaged weights [B, Lq, Lk].

        `valid` is [B, Lk], or [B, Lq, Lk] where each query has its own mask.
        """
        some = valid.any(dim=-1)
        # Without a valid key the first is attended, so that softmax stays finite; then it is 0.
        usable = valid.clone()
        usable[..., 0] |= ~some
        each_query = valid.dim() == 3
        some = some[..., None] if each_query else some[:, None, None]
        attended, weights = self.attention(
            queries,
            keys,
            keys,
            key_padding_mask=None if each_query else ~usable,
            attn_mask=~usable.repeat_interleave(self.heads, dim=0) if each_query else None,
            need_weights=explain,
        )
        attended = torch.where(some, attended, 0.0)
        if weights is not None:
            weights = torch.where(some, weights, 0.0)
        return attended, weights
