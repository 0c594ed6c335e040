"""One file of the feature store: the tracks of some hundred clips of one encoder.

A shard is a safetensors file with `values` [sum of T, D], `times` [sum of T] and `offsets` [n + 1];
its metadata holds ids, a status and a source signature a clip, and what encoder made it. It is
written atomically and read by memory map, so a reader touches only the steps it asks for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from emollama.encoders.base import Encoder, FeatureTrack
from emollama.errors import EmollamaError
from emollama.files import atomic_path

FORMAT = "1"


@dataclass(frozen=True)
class Record:
    """What became of one clip: `status` is "ok", "absent" or "failed: why"."""

    status: str
    source: str
    track: FeatureTrack | None = None


@dataclass(frozen=True)
class EncoderFacts:
    """What a shard remembers of its encoder."""

    key: str
    channel: str
    width: int
    columns: tuple[str, ...]
    fingerprint: str

    @classmethod
    def of(cls, encoder: Encoder) -> EncoderFacts:
        """The facts of an encoder at hand."""
        return cls(
            encoder.key, encoder.channel, encoder.width, tuple(encoder.columns), encoder.fingerprint
        )


def write_shard(path: Path, facts: EncoderFacts, records: Mapping[str, Record]) -> None:
    """Write the records of some clips, in their order."""
    tracks = [r.track for r in records.values()]
    lengths = [0 if t is None else len(t.values) for t in tracks]
    some = [t for t in tracks if t is not None]
    tensors = {
        "values": np.concatenate([t.values for t in some])
        if some
        else np.zeros((0, facts.width), np.float32),
        "times": np.concatenate([t.times for t in some]) if some else np.zeros(0, np.float32),
        "offsets": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
    }
    metadata = {
        "format": FORMAT,
        "encoder": json.dumps(
            {
                "key": facts.key,
                "channel": facts.channel,
                "width": facts.width,
                "columns": list(facts.columns),
                "fingerprint": facts.fingerprint,
            }
        ),
        "ids": json.dumps(list(records)),
        "status": json.dumps([r.status for r in records.values()]),
        "source": json.dumps([r.source for r in records.values()]),
    }
    with atomic_path(path) as temporary:
        save_file(
            {k: np.ascontiguousarray(v) for k, v in tensors.items()}, temporary, metadata=metadata
        )


class Shard:
    """An open shard.

    Raises:
        EmollamaError: naming the file, when it is corrupt or of another format.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = safe_open(path, framework="np")
            metadata = self._file.metadata() or {}
            facts = json.loads(metadata["encoder"])
            self.ids: list[str] = json.loads(metadata["ids"])
            self.status: list[str] = json.loads(metadata["status"])
            self.source: list[str] = json.loads(metadata["source"])
            self._offsets = self._file.get_tensor("offsets")
            self._values = self._file.get_slice("values")
            self._times = self._file.get_slice("times")
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise EmollamaError(
                f"{path}: is corrupt or not a shard of a feature store ({error}); "
                "delete it and run emollama extract again"
            ) from error
        if metadata.get("format") != FORMAT:
            raise EmollamaError(
                f"{path}: has shard format {metadata.get('format')}, this release reads {FORMAT}"
            )
        self.facts = EncoderFacts(
            facts["key"],
            facts["channel"],
            int(facts["width"]),
            tuple(facts["columns"]),
            facts["fingerprint"],
        )

    def track(self, index: int) -> FeatureTrack | None:
        """The track at a position of `ids`; None where the clip has no such channel."""
        low, high = int(self._offsets[index]), int(self._offsets[index + 1])
        if low == high:
            return None
        values, times = self._values[low:high], self._times[low:high]
        if not np.isfinite(values).all():
            raise EmollamaError(
                f"{self.path}: features of '{self.ids[index]}' hold NaN or infinity; "
                "delete the file and run emollama extract again"
            )
        return FeatureTrack(values, times)

    def record(self, index: int) -> Record:
        """Everything the shard knows of the clip at a position."""
        return Record(self.status[index], self.source[index], self.track(index))


def shard_paths(folder: Path) -> Sequence[Path]:
    """The shards and part files of an encoder's folder, oldest first."""
    return sorted(folder.glob("[0-9]*.safetensors"), key=lambda p: (p.stat().st_mtime_ns, p.name))
