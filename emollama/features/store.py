"""The feature store: tracks by encoder and sample id; and external folders of `<id>.npy`.

A store is a folder with one folder an encoder, named by the encoder's key, of shards
(`emollama.features.shard`) and an `index.json`. The index is a cache: it says which files it was
made from, and is made anew when they differ.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from emollama.encoders.base import FeatureTrack
from emollama.errors import EmollamaError, did_you_mean
from emollama.features.shard import EncoderFacts, Shard, shard_paths
from emollama.files import read_json, write_json

INDEX_FILE = "index.json"
EXTERNAL = "npy:"


class TrackReader(Protocol):
    """Tracks of one encoder by sample id.

    `status` is "ok", "absent" (the clip has no such channel), "failed: why" or "missing".
    """

    width: int
    fingerprint: str
    columns: tuple[str, ...]

    def __contains__(self, sample_id: str) -> bool: ...  # noqa: D105

    def ids(self) -> list[str]:
        """The ids that were extracted, failed ones included."""

    def status(self, sample_id: str) -> str:
        """What became of one clip."""

    def get(self, sample_id: str) -> FeatureTrack | None:
        """The track, or None where absent; a failed or missing one is an `EmollamaError`."""


class StoreReader:
    """Tracks of one encoder in a store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._shards: dict[str, Shard] = {}
        paths = shard_paths(folder)
        if not paths:
            raise EmollamaError(f"{folder}: holds no features; run emollama extract")
        self._index = _read_index(folder, paths)
        facts: EncoderFacts = self._shard(paths[-1].name).facts
        self.key = facts.key
        self.channel = facts.channel
        self.width = facts.width
        self.columns = facts.columns
        self.fingerprint = facts.fingerprint

    def __contains__(self, sample_id: str) -> bool:
        return sample_id in self._index

    def ids(self) -> list[str]:
        """The ids that were extracted, failed ones included."""
        return list(self._index)

    def status(self, sample_id: str) -> str:
        """ "ok", "absent", "failed: why" or "missing"."""
        if sample_id not in self._index:
            return "missing"
        name, position = self._index[sample_id]
        return self._shard(name).status[position]

    def source(self, sample_id: str) -> str:
        """The signature of the media that the features were made from."""
        name, position = self._index[sample_id]
        return self._shard(name).source[position]

    def get(self, sample_id: str) -> FeatureTrack | None:
        """The track, or None where absent; a failed or missing one is an `EmollamaError`."""
        status = self.status(sample_id)
        if status not in ("ok", "absent"):
            raise EmollamaError(f"{self.folder}: features of '{sample_id}' are {status}")
        name, position = self._index[sample_id]
        shard = self._shard(name)
        if shard.facts.fingerprint != self.fingerprint:
            raise EmollamaError(
                f"{shard.path}: was made by another version of {self.key} than the rest; "
                "run emollama extract again"
            )
        return shard.track(position)

    def _shard(self, name: str) -> Shard:
        if name not in self._shards:
            self._shards[name] = Shard(self.folder / name)
        return self._shards[name]


class ExternalTracks:
    """A folder of `<id>.npy`, [D] or [T, D], as MERTools, Emotion-LLaMA and others ship features.

    `columns.json` in the folder (a list of names) names the columns, if it is there.
    """

    fingerprint = "external"

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise EmollamaError(f"{EXTERNAL}{folder}: no such folder of <id>.npy files")
        self.folder = folder
        self._ids = {p.stem for p in folder.glob("*.npy")}
        if not self._ids:
            raise EmollamaError(f"{EXTERNAL}{folder}: holds no .npy files")
        self.width = _load_npy(folder / f"{min(self._ids)}.npy").shape[1]
        names = folder / "columns.json"
        self.columns = tuple(str(c) for c in read_json(names)) if names.is_file() else ()
        if self.columns and len(self.columns) != self.width:
            raise EmollamaError(
                f"{names}: names {len(self.columns)} columns, the tracks have {self.width}"
            )

    def __contains__(self, sample_id: str) -> bool:
        return sample_id in self._ids

    def ids(self) -> list[str]:
        """The ids there are files for."""
        return sorted(self._ids)

    def status(self, sample_id: str) -> str:
        """A clip without a file has no such channel: "absent"."""
        return "ok" if sample_id in self._ids else "absent"

    def get(self, sample_id: str) -> FeatureTrack | None:
        """The track, or None where there is no file."""
        if sample_id not in self._ids:
            return None
        path = self.folder / f"{sample_id}.npy"
        values = _load_npy(path)
        if values.shape[1] != self.width:
            raise EmollamaError(f"{path}: is {values.shape[1]} wide, others are {self.width}")
        return FeatureTrack(values, np.arange(len(values), dtype=np.float32))


class FeatureStore:
    """A store as a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def open(cls, path: Path) -> FeatureStore:
        """An existing store; a missing folder is an `EmollamaError`."""
        if not path.is_dir():
            raise EmollamaError(f"{path}: no such feature store; run emollama extract --store")
        return cls(path)

    def encoders(self) -> list[str]:
        """Keys of the encoders in the store."""
        return sorted(p.name for p in self.path.iterdir() if p.is_dir() and shard_paths(p))

    def reader(self, key: str) -> StoreReader:
        """The tracks of one encoder, by its key or by a name that only one key begins with."""
        known = self.encoders()
        if key in known:
            return StoreReader(self.path / key)
        alike = [k for k in known if k.split("+")[0] == key.split("+")[0]]
        if "+" not in key and len(alike) == 1:
            return StoreReader(self.path / alike[0])
        raise EmollamaError(
            f"{self.path}: holds no features of '{key}'{did_you_mean(key, known)}"
        )


def open_tracks(store: Path | None, spec: str) -> TrackReader:
    """The tracks that a stream names: "npy:<folder>", or an encoder's key in the store."""
    if spec.startswith(EXTERNAL):
        return ExternalTracks(Path(spec.removeprefix(EXTERNAL)))
    if store is None:
        raise EmollamaError(f"stream source '{spec}': data.store is not set")
    return FeatureStore.open(store).reader(spec)


def write_index(folder: Path) -> None:
    """Make the index of an encoder's folder anew."""
    paths = shard_paths(folder)
    if paths:
        write_json(folder / INDEX_FILE, _make_index(paths))


def _make_index(paths: Any) -> dict[str, Any]:
    """Where each id is; a later file overrules an earlier one."""
    where: dict[str, list[Any]] = {}
    for path in paths:
        for position, sample_id in enumerate(Shard(path).ids):
            where[sample_id] = [path.name, position]
    return {"files": _stamp(paths), "ids": where}


def _read_index(folder: Path, paths: Any) -> dict[str, tuple[str, int]]:
    path = folder / INDEX_FILE
    index: dict[str, Any] = {}
    if path.is_file():
        try:
            index = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            index = {}
    if index.get("files") != _stamp(paths):
        index = _make_index(paths)
    return {i: (str(name), int(position)) for i, (name, position) in index["ids"].items()}


def _stamp(paths: Any) -> dict[str, list[int]]:
    return {p.name: [p.stat().st_size, p.stat().st_mtime_ns] for p in paths}


def _load_npy(path: Path) -> np.ndarray:
    """A float32 array [T, D] from a .npy file; pickled objects are refused."""
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise EmollamaError(f"{path}: is not a plain .npy array: {error}") from error
    if values.ndim == 1:
        values = values[None]
    if values.ndim != 2 or values.shape[0] < 1 or values.shape[1] < 1 or values.dtype.kind not in "fiu":
        raise EmollamaError(
            f"{path}: must be numbers of shape [D] or [T, D], is {values.dtype} {values.shape}"
        )
    values = np.asarray(values, np.float32)
    if not np.isfinite(values).all():
        raise EmollamaError(f"{path}: holds NaN or infinity")
    return values
