"""The tracks of one modality in memory: all steps in one array, cut into rows on demand.

A sample's steps are contiguous; a batch is a gather. Where no track is longer than one step
(utterance vectors), the gather is a plain index, as in a stacked array.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from emollama.features.tracks import TrackReader
from emollama.fusion.configuration import ModalitySection
from emollama.inputs.segments import shaped


class TrackTable:
    """Tracks of n samples.

    Args:
        tracks: float32 values [T, D] and times [T] of each sample; None if it has none.
        width: D.
    """

    def __init__(self, tracks: Sequence[tuple[np.ndarray, np.ndarray] | None], width: int) -> None:
        lengths = [0 if track is None else len(track[0]) for track in tracks]
        self.length = torch.tensor(lengths, dtype=torch.int64)
        self.longest = max(lengths, default=0)
        present = [track for track in tracks if track is not None]
        # The row of zeros at the end is what stands under invalid positions.
        values = np.zeros((sum(lengths) + 1, width), dtype=np.float32)
        times = np.zeros(len(values), dtype=np.float32)
        place = 0
        for steps, when in present:
            values[place : place + len(steps)] = steps
            times[place : place + len(steps)] = when
            place += len(steps)
        self.values = torch.from_numpy(values)
        self.times = torch.from_numpy(times)
        self.start = self.length.cumsum(0) - self.length
        if self.longest <= 1:
            self.start = torch.where(self.length > 0, self.start, place)

    def __len__(self) -> int:
        return len(self.length)

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Values [B, L, D], valid [B, L] and times [B, L] of rows (int64 [B]); L is at least 1.

        Padding is zeros; L is the longest of these rows.
        """
        # Not by [rows]: of so few rows that takes four times as long.
        length, start = self.length.index_select(0, rows), self.start.index_select(0, rows)
        if self.longest <= 1:
            values, times = self.values.index_select(0, start), self.times.index_select(0, start)
            return values[:, None], length[:, None] > 0, times[:, None]
        steps = torch.arange(max(1, int(length.max())))
        valid = steps < length[:, None]
        place = torch.where(valid, start[:, None] + steps, len(self.values) - 1)
        return self.values[place], valid, self.times[place]

    def chosen(self, rows: Sequence[int]) -> TrackTable:
        """A table of these rows alone."""
        found = copy.copy(self)
        index = torch.as_tensor(rows, dtype=torch.int64)
        found.length = self.length[index]
        found.start = found.length.cumsum(0) - found.length
        found.longest = int(found.length.max()) if len(index) else 0
        steps = int(found.length.sum())
        # How far each step is moved by what is left out before it; the row of zeros stays last.
        moved = torch.repeat_interleave(self.start[index] - found.start, found.length)
        place = torch.cat([torch.arange(steps) + moved, torch.tensor([len(self.values) - 1])])
        found.values, found.times = self.values[place], self.times[place]
        if found.longest <= 1:
            found.start = torch.where(found.length > 0, found.start, steps)
        return found

    def row(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Values [T, D] and times [T] of a row; T is 0 for one without a track."""
        start, length = int(self.start[row]), int(self.length[row])
        place = slice(start, start + length)
        return self.values[place].numpy(), self.times[place].numpy()

    def parts(self) -> Sequence[Tensor]:
        """All steps [n, D] in parts, without a copy of them."""
        return self.values[:-1].split(65_536)


def read_table(section: ModalitySection, reader: TrackReader, ids: Sequence[str]) -> TrackTable:
    """Read the tracks of samples once, pooled or cut into segments as the modality requires."""
    found = []
    for sample_id in ids:
        track = reader.get(sample_id)
        found.append(None if track is None else shaped(section.spec, track))
    return TrackTable(found, section.spec.width_of(reader.width))
