"""The shard file: feature tracks of many clips packed into one safetensors file.

Tensors: `values` float32 [sum of T, D], `times` float32 [sum of T] and `offsets` int64 [n + 1]
(the rows of clip i are `offsets[i]:offsets[i + 1]`; none where it is absent or failed). The
entries (id, signature of the media, status) are JSON in the file's metadata, so a shard is
self-contained without the index. Packing all clips, rather than one key per clip, is three times
faster to write and as fast to read (3 microseconds per track, memory-mapped), and keeps the header
small.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from emollama.base.errors import EmollamaError
from emollama.base.files import atomic_path
from emollama.encoders.base import FeatureTrack

FORMAT_VERSION = 1
SUFFIX = ".safetensors"
Status = Literal["ok", "absent", "failed"]


@dataclass(frozen=True)
class Entry:
    """The outcome of extraction for one clip.

    `signature` identifies the media it was computed from; `reason` says in a few words why there
    is no track (empty for clips made absent by earlier releases), and `detail` is the full message
    of a failure.
    """

    id: str
    signature: str
    status: Status
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Extracted:
    """An entry with its track (None unless the status is "ok")."""

    entry: Entry
    track: FeatureTrack | None


def write_shard(path: Path, width: int, fingerprint: str, items: Sequence[Extracted]) -> None:
    """Write a shard atomically, its clips in the order of `items`."""
    tracks = [item.track for item in items]
    lengths = [0 if track is None else len(track.values) for track in tracks]
    present = [track for track in tracks if track is not None]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    values = np.empty((offsets[-1], width), dtype=np.float32)
    times = np.empty(offsets[-1], dtype=np.float32)
    if present:
        np.concatenate([track.values for track in present], out=values)
        np.concatenate([track.times for track in present], out=times)
    header = {
        "version": FORMAT_VERSION,
        "fingerprint": fingerprint,
        "entries": [
            [e.id, e.signature, e.status, *([e.reason, e.detail] if e.reason else [])]
            for e in (item.entry for item in items)
        ],
    }
    content = save(
        {"values": values, "times": times, "offsets": offsets},
        metadata={"emollama": json.dumps(header, ensure_ascii=False)},
    )
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


class Shard:
    """A shard opened for reading; values stay on disk until a track is read.

    Raises:
        EmollamaError: the file is missing, truncated or not a shard.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise EmollamaError(
                f"{path}: this feature shard is missing; run `emollama extract` again"
            )
        try:
            self._open()
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            raise EmollamaError(
                f"{path}: is not a readable feature shard ({error}); run `emollama extract` again"
            ) from error

    def _open(self) -> None:
        self._file: Any = safe_open(self.path, framework="np").__enter__()
        header = json.loads((self._file.metadata() or {})["emollama"])
        if header["version"] != FORMAT_VERSION:
            raise ValueError(f"version {header['version']}, this release reads {FORMAT_VERSION}")
        self.fingerprint = str(header["fingerprint"])
        self.entries = [Entry(*row) for row in header["entries"]]
        self._offsets = self._file.get_tensor("offsets")
        self._values = self._file.get_slice("values")
        self._times = self._file.get_slice("times")
        rows, self.width = self._values.get_shape()
        if (
            self._offsets.shape != (len(self.entries) + 1,)
            or self._offsets[0] != 0
            or self._offsets[-1] != rows
            or (np.diff(self._offsets) < 0).any()
            or self._times.get_shape() != [rows]
            or self._values.get_dtype() != "F32"
        ):
            raise ValueError("its offsets, times and values do not match")
        self._positions = {entry.id: i for i, entry in enumerate(self.entries)}

    def __contains__(self, sample_id: object) -> bool:
        return sample_id in self._positions

    def entry(self, sample_id: str) -> Entry:
        """The entry of an id; KeyError if the shard has none."""
        return self.entries[self._positions[sample_id]]

    def steps(self, sample_id: str) -> int:
        """T of an id's track, 0 without one; its values are not read."""
        position = self._positions[sample_id]
        return int(self._offsets[position + 1] - self._offsets[position])

    def read(self, sample_id: str) -> Extracted:
        """The entry of an id with a copy of its track."""
        position = self._positions[sample_id]
        start, end = int(self._offsets[position]), int(self._offsets[position + 1])
        entry = self.entries[position]
        if entry.status != "ok" or start == end:
            return Extracted(entry, None)
        track = FeatureTrack(self._values[start:end], self._times[start:end])
        return Extracted(entry, track)
