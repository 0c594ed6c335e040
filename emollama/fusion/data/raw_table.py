"""Raw input of one modality in memory, like `TrackTable` for feature tracks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from emollama.fusion.configuration import ModalitySection
from emollama.fusion.data.raw_media import MEL_BANDS, PIECE, SIDE, RawTrack, pictures, waveforms


class Table(Protocol):
    """The rows of one modality.

    Attributes:
        length: int64 [n], steps of each row; 0 if a sample lacks the modality.
        longest: the largest length.
    """

    length: Tensor
    longest: int

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Values [B, L, ...], valid [B, L] and times [B, L] of rows (int64 [B]); L is 1 or more."""
        ...

    def chosen(self, rows: Sequence[int]) -> Table:
        """A table of these rows alone."""
        ...


class RawTable:
    """Raw input of n samples in its compact form; batches are floats.

    Args:
        section: the modality, not of kind "track".
        tracks: of each sample; None if it has none.
    """

    def __init__(self, section: ModalitySection, tracks: Sequence[RawTrack | None]) -> None:
        self.section = section
        self.tracks = tuple(tracks)
        lengths = [0 if track is None else len(track.values) for track in self.tracks]
        self.length = torch.tensor(lengths, dtype=torch.int64)
        self.longest = max(lengths, default=0)

    def __len__(self) -> int:
        return len(self.tracks)

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Values, valid and times of rows, see `Table`; padding is zeros.

        Values are token ids int64 [B, L], waveforms float32 [B, L, 320], frames float32
        [B, L, 3, side, side] or fbank float32 [B, L, 128].
        """
        chosen = [self.tracks[row] for row in rows.tolist()]
        length = self.length[rows]
        steps = max(1, int(length.max()))
        dtype, shape = kept_as(self.section)
        values = np.zeros((len(chosen), steps, *shape), dtype)
        times = np.zeros((len(chosen), steps), np.float32)
        for i, track in enumerate(chosen):
            if track is not None:
                values[i, : len(track.values)] = track.values
                times[i, : len(track.times)] = track.times
        valid = torch.arange(steps) < length[:, None]
        return self._floats(torch.from_numpy(values), valid), valid, torch.from_numpy(times)

    def _floats(self, kept: Tensor, valid: Tensor) -> Tensor:
        if self.section.kind == "tokens":
            return kept.long()
        if self.section.kind == "waveform":
            return waveforms(kept)
        if self.section.kind == "frames":
            # Black is not 0 once it is normalised; what is not there is.
            return torch.where(valid[..., None, None, None], pictures(kept), 0.0)
        return kept

    def chosen(self, rows: Sequence[int]) -> RawTable:
        """A table of these rows alone."""
        return RawTable(self.section, [self.tracks[row] for row in rows])


def kept_as(section: ModalitySection) -> tuple[np.dtype[np.generic], tuple[int, ...]]:
    """Stored form of a step of a raw modality: numpy type and shape."""
    kinds: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
        "tokens": (np.int32, ()),
        "waveform": (np.int16, (PIECE,)),
        "frames": (np.uint8, (3, section.side, section.side)),
        "fbank": (np.float32, (MEL_BANDS,)),
    }
    dtype, shape = kinds[section.kind]
    return np.dtype(dtype), shape


def weight_of(section: ModalitySection) -> float:
    """Memory cost of a step, in steps of a cached track.

    Sixteen pictures of 224 × 224 pixels, or two minutes of sound, cost as much as 32,768 steps.
    """
    if section.kind == "frames":
        return 2048 * (section.side / SIDE) ** 2
    return {"waveform": 5.0, "fbank": 5.0, "tokens": 4.0}.get(section.kind, 1.0)
