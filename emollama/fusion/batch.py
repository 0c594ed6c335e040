"""The input of every fusion model: per-modality sequences with masks, times and targets.

A mask is True where valid. A modality that a sample lacks is a row without a valid step, never a
vector of zeros that looks like data: values at invalid positions must not affect an output.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Target:
    """A target of each row, where it is known.

    Attributes:
        values: label int64 [B]; labels and votes float [B, K]; values float [B, T]; frames float
            [B, L, T].
        valid: bool, of the shape of `values` (per label and per quantity: some may be unknown).
        times: for frames: float32 [B, L], centre of each frame in seconds, for comparison with
            answers at other times; NaN where there is none. None where the targets are the answered
            frames, one by one.
    """

    values: Tensor
    valid: Tensor
    times: Tensor | None = None

    def to(self, device: torch.device | str) -> Target:
        """The target with every tensor on a device."""
        times = None if self.times is None else self.times.to(device)
        return Target(self.values.to(device), self.valid.to(device), times)


@dataclass(frozen=True)
class FusionBatch:
    """B samples, collated once; row i of every tensor is `ids[i]`.

    Attributes:
        ids: the samples' ids.
        values: by modality: tracks float32 [B, L, D] (an utterance vector is L = 1), token ids
            int64 [B, L], waveforms float32 [B, L, S] (L pieces of S samples, end to end), frames
            float32 [B, L, C, H, W], fbank float32 [B, L, 128] (L windows of 10 ms).
        valid: by modality, bool [B, L].
        times: by modality, float32 [B, L]: seconds of each step's centre, 0 where invalid.
        targets: by name: "label", "votes", "labels", "values", "frames".
        groups: units that a split must keep whole, None where unknown.
        reset: bool [B], True where the carried state must not be used (a video begins).
    """

    ids: tuple[str, ...]
    values: Mapping[str, Tensor]
    valid: Mapping[str, Tensor]
    times: Mapping[str, Tensor]
    targets: Mapping[str, Target] = field(default_factory=dict)
    groups: tuple[str | None, ...] = ()
    reset: Tensor | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def present(self, modality: str) -> Tensor:
        """Bool [B]: which rows have this modality."""
        return self.valid[modality].any(dim=1)

    def without(self, modalities: Collection[str]) -> FusionBatch:
        """The same rows without these modalities, as if never recorded."""
        return replace(
            self,
            valid={
                name: torch.zeros_like(mask) if name in modalities else mask
                for name, mask in self.valid.items()
            },
        )

    def to(self, device: torch.device | str) -> FusionBatch:
        """The batch with every tensor on a device."""
        return replace(
            self,
            values={k: v.to(device, non_blocking=True) for k, v in self.values.items()},
            valid={k: v.to(device, non_blocking=True) for k, v in self.valid.items()},
            times={k: v.to(device, non_blocking=True) for k, v in self.times.items()},
            targets={k: v.to(device) for k, v in self.targets.items()},
            reset=None if self.reset is None else self.reset.to(device),
        )
