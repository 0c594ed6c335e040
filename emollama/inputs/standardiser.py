"""Columns of features to mean 0 and deviation 1 over the training split."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from emollama.base.errors import EmollamaError

MOST = 10
"""Standardised values are clipped at this many deviations."""


class Standardiser(nn.Module):
    """Standardises features, with 0 where there are none.

    Mean and deviation are buffers, so they are saved with the model.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))

    @torch.no_grad()
    def set(self, mean: Tensor, deviation: Tensor) -> None:
        """Store column means and deviations [width]; a constant column is only centred."""
        self.mean.copy_(mean)
        self.deviation.copy_(torch.where(deviation > 1e-6, deviation, 1.0))

    def fit(self, parts: Iterable[Tensor], where: str) -> None:
        """Compute mean and deviation from steps [n, width] given in parts.

        Raises:
            EmollamaError: there are none, or they are not finite; it begins with `where`.
        """
        found = moments(parts)
        if found is None:
            raise EmollamaError(f"{where}: no training sample has features of it")
        if not all(bool(part.isfinite().all()) for part in found):
            raise EmollamaError(f"{where}: holds NaN or infinity")
        self.set(*found)

    def forward(self, values: Tensor, valid: Tensor) -> Tensor:
        """Standardised [B, L, width], 0 where `valid` [B, L] (or [B, 1]) is False."""
        # In place: at a small model's size, memory asked for is a good part of the time.
        scaled = (values - self.mean.float()).div_(self.deviation.float()).clamp_(-MOST, MOST)
        return scaled.masked_fill_(~valid[..., None], 0.0)


def moments(parts: Iterable[Tensor]) -> tuple[Tensor, Tensor] | None:
    """Mean and population deviation float32 [D] of steps [n, D] in parts; None without any step.

    Each part's own moments are joined to those before it (Chan et al. 1979), which reads the steps
    once and loses no digits where a mean is far from 0.
    """
    count, mean, squares = 0, torch.zeros(()).double(), torch.zeros(()).double()
    for part in parts:
        if len(part) == 0:
            continue
        steps = part.double()
        own = steps.mean(dim=0)
        gap, total = own - mean, count + len(steps)
        between = gap**2 * (count * len(steps) / total)
        squares = squares + ((steps - own) ** 2).sum(dim=0) + between
        mean, count = mean + gap * (len(steps) / total), total
    return (mean.float(), (squares / count).sqrt().float()) if count else None
