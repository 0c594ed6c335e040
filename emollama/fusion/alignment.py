"""One clock for several modalities: tracks brought onto the steps of a reference modality.

Steps are matched by their times in seconds. Where the times of either side are uninformative (all
equal, as when unknown), both are spread evenly over the same span. Nothing is ever cut off: a track
longer than the reference is read to its end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from emollama.base.errors import require_known
from emollama.fusion.layers import Tokens, gather_steps, mean_by

Resampling = Literal["nearest", "linear"]


@dataclass(frozen=True)
class Grid:
    """The time steps of a fused sequence.

    Attributes:
        times: float [B, L], seconds.
        valid: bool [B, L].
        owned: by modality, bool [B]: the rows that use this modality's own steps.
    """

    times: Tensor
    valid: Tensor
    owned: Mapping[str, Tensor]


def reference_grid(tokens: Mapping[str, Tokens], order: Sequence[str]) -> Grid:
    """Each row uses the steps of the first modality of `order` that it has.

    The number of steps is that of the first modality; rows that lack it may need more.
    """
    names = [name for name in order if name in tokens]
    times, valid = tokens[names[0]].times, tokens[names[0]].valid
    owned = {names[0]: tokens[names[0]].present}
    for name in names[1:]:
        other = tokens[name]
        taken = ~valid.any(dim=1) & other.present
        owned[name] = taken
        used = (other.valid & taken[:, None]).any(dim=0).nonzero()
        if len(used):
            length = max(valid.shape[1], int(used[-1]) + 1)
            times = torch.where(
                taken[:, None], to_length(other.times, length), to_length(times, length)
            )
            valid = torch.where(
                taken[:, None], to_length(other.valid, length), to_length(valid, length)
            )
    return Grid(torch.where(valid, times, 0.0), valid, owned)


def resample(tokens: Tokens, grid: Grid, name: str, how: Resampling = "linear") -> Tensor:
    """A track at the times of a grid: [B, Lm, D] to [B, L, D].

    Each grid step takes the nearest step of the track, or interpolates linearly between two; before
    the first and after the last step the track is constant. 0 where the grid is not valid and in
    rows without the track.
    """
    values = torch.where(tokens.valid[..., None], tokens.values, 0.0)
    own, target = _clocks(tokens, grid)
    found = between(Tokens(values, tokens.valid, own), target, how)
    return _finish(found, values, tokens, grid, name)


def between(tokens: Tokens, at: Tensor, how: Resampling = "linear") -> Tensor:
    """A track [B, L, D] at times `at` [B, Q], interpolated between its valid steps."""
    require_known("resampling", how, get_args(Resampling))
    if how == "nearest":
        return gather_steps(tokens.values, nearest(tokens.times, tokens.valid, at))
    left, right, share = _neighbours(tokens.times, tokens.valid, at)
    before, after = gather_steps(tokens.values, left), gather_steps(tokens.values, right)
    return before * (1 - share[..., None]) + after * share[..., None]


def nearest(times: Tensor, valid: Tensor, at: Tensor) -> Tensor:
    """Index [B, Q] of the valid step at `times` [B, L] nearest to each time `at` [B, Q]."""
    left, right, share = _neighbours(times, valid, at)
    return torch.where(share > 0.5, right, left)


def stands_on(times: Tensor, valid: Tensor, frames: Tensor, at: Tensor) -> Tensor:
    """Bool [B]: rows whose valid steps [B, L] are exactly the frames [B, Q] at times `at`.

    A requested frame without a step in the row means that the row uses other steps, and so does a
    step beyond the frames.
    """
    length = frames.shape[1]
    known = to_length(valid, length)
    same = (to_length(times, length) == at) | ~known
    return (same & (known | ~frames)).all(dim=1) & ~valid[:, length:].any(dim=1)


def pool(tokens: Tokens, grid: Grid, name: str) -> Tensor:
    """A track averaged over the grid's steps: [B, Lm, D] to [B, L, D].

    Each step of the track counts for the grid step nearest in time, so that the whole track is
    used; a grid step that is nearest to none takes the nearest step. 0 where the grid is not valid
    and in rows without the track.
    """
    values = torch.where(tokens.valid[..., None], tokens.values, 0.0)
    own, target = _clocks(tokens, grid)
    goes_to = nearest(target, grid.valid, own)
    mean, held = mean_by(values, tokens.valid, goes_to, grid.valid.shape[1])
    closest = between(Tokens(values, tokens.valid, own), target, "nearest")
    found = torch.where(held[..., None], mean, closest)
    return _finish(found, values, tokens, grid, name)


def _finish(found: Tensor, values: Tensor, tokens: Tokens, grid: Grid, name: str) -> Tensor:
    """Rows on their own grid are unchanged; missing steps are 0."""
    owned = grid.owned.get(name)
    if owned is not None:
        found = torch.where(owned[:, None, None], to_length(values, grid.valid.shape[1]), found)
    usable = grid.valid & tokens.present[:, None]
    return torch.where(usable[..., None], found, 0.0)


def to_length(values: Tensor, length: int) -> Tensor:
    """Cut, or padded with 0 at the end, to `length` steps."""
    missing = length - values.shape[1]
    if missing <= 0:
        return values[:, :length]
    return F.pad(values, (0, 0) * (values.dim() - 2) + (0, missing))


def _clocks(tokens: Tokens, grid: Grid) -> tuple[Tensor, Tensor]:
    """Times of a track and of a grid; evenly spaced in rows where either is uninformative."""
    known = have_times(tokens.times, tokens.valid) & have_times(grid.times, grid.valid)
    return (
        _clock(tokens.times, tokens.valid, known),
        _clock(grid.times, grid.valid, known),
    )


def have_times(times: Tensor, valid: Tensor) -> Tensor:
    """Bool [B]: whether a row has different times."""
    first = times.masked_fill(~valid, torch.inf).amin(dim=1)
    last = times.masked_fill(~valid, -torch.inf).amax(dim=1)
    return last > first


def _clock(times: Tensor, valid: Tensor, known: Tensor) -> Tensor:
    even = (valid.cumsum(dim=1) - 0.5) / valid.sum(dim=1, keepdim=True).clamp(min=1)
    clock = torch.where(known[:, None], times, even.to(times.dtype))
    # A NaN in a place that is not valid would come back as a NaN gradient.
    return torch.where(valid, clock, 0.0)


def _neighbours(times: Tensor, valid: Tensor, at: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Valid steps before and after each time `at` [B, Q]: indices, and the share of the latter."""
    ordered, order = times.masked_fill(~valid, torch.inf).sort(dim=1, stable=True)
    last = (valid.sum(dim=1, keepdim=True) - 1).clamp(min=0)
    after = torch.searchsorted(ordered.contiguous(), at.contiguous())
    before = (after - 1).clamp(min=0).minimum(last)
    after = after.minimum(last)
    begin, end = ordered.gather(1, before), ordered.gather(1, after)
    apart = end > begin
    span = torch.where(apart, end - begin, 1.0)
    share = torch.where(apart, (at - begin) / span, 0.0).clamp(0, 1)
    return order.gather(1, before), order.gather(1, after), share
