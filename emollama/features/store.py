"""The feature store: a folder of encoders, each a folder of shards with an index.

STORE/
  whisper-tiny.en+layer=2+segments=8/
    encoder.json       key, channel, width, columns and fingerprint of the encoder
    index.json         the shard of each id; written when an extraction is complete
    00000-1f3a....safetensors   about 1,000 clips each, in the manifest's order parts/
    what an extraction in progress has finished; gone when it is complete
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import Any

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.base.files import read_json, write_json
from emollama.base.paths import need_store
from emollama.encoders.base import FeatureTrack
from emollama.encoders.names import NAMES
from emollama.features.external import ExternalTracks
from emollama.features.shards import FORMAT_VERSION, Shard
from emollama.features.tracks import TrackReader, require_finite

__all__ = [
    "EncoderRecord",
    "FeatureStore",
    "StoredTracks",
    "TrackReader",
    "check_key",
    "open_tracks",
    "read_record",
    "relocated_sources",
    "write_index",
    "write_record",
]

RECORD = "encoder.json"
INDEX = "index.json"
EXTERNAL = "npy:"
OTHER_NAMES: dict[str, str] = {
    "mae_340_UTT": "mae_340_23_UTT",
    "maeV_399_UTT": "maeVideo_399_23_UTT",
    "HL-UTT": "HL_23_UTT",
}
"""MER2023's folders of features to the names that MER2024's copies of them have.

github.com/ZebangCheng/Emotion-LLaMA at 4ee28d2: first_face.py and mer2024.py in
minigpt4/datasets/datasets.
"""


@dataclass(frozen=True)
class EncoderRecord:
    """The store's record of the encoder that filled a folder.

    `presence` is the rule by which clips were said to have the channel (`encoders.presence.RULE`),
    0 in records of earlier releases.
    """

    key: str
    channel: str
    width: int
    fingerprint: str
    columns: tuple[str, ...]
    presence: int = 0


def check_key(key: str) -> None:
    """Raise an error for a key that cannot name a folder of the store."""
    if not key or "/" in key or "\\" in key or key.startswith("."):
        raise EmollamaError(f"encoder '{key}': its key is not a valid folder name")


def write_record(folder: Path, record: EncoderRecord) -> None:
    """Write `encoder.json`."""
    write_json(folder / RECORD, {"version": FORMAT_VERSION, **asdict(record)})


def read_record(folder: Path) -> EncoderRecord:
    """Read `encoder.json`; an `EmollamaError` if it is missing or of another version."""
    path = folder / RECORD
    values = read_json(path)
    try:
        if values["version"] != FORMAT_VERSION:
            raise EmollamaError(
                f"{path}: version {values['version']} is not supported; this release "
                "reads version "
                f"{FORMAT_VERSION}"
            )
        return EncoderRecord(
            str(values["key"]),
            str(values["channel"]),
            int(values["width"]),
            str(values["fingerprint"]),
            tuple(str(c) for c in values["columns"]),
            int(values.get("presence", 0)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise EmollamaError(f"{path}: is not a valid encoder record ({error!r})") from error


def write_index(folder: Path, shards: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Write `index.json` from the (file name, ids) of each shard."""
    rows = [{"file": name, "ids": list(ids)} for name, ids in shards]
    write_json(folder / INDEX, {"version": FORMAT_VERSION, "shards": rows})


class StoredTracks:
    """A `TrackReader` over one encoder's folder; shards are opened when first read.

    Raises:
        EmollamaError: the extraction is not complete, or a file is not readable.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.record = read_record(folder)
        path = folder / INDEX
        if not path.is_file():
            raise EmollamaError(
                f"{folder}: its extraction is not complete; run `emollama extract` "
                "again to continue "
                "it"
            )
        values = read_json(path)
        try:
            self._where = {i: str(row["file"]) for row in values["shards"] for i in row["ids"]}
        except (KeyError, TypeError) as error:
            raise EmollamaError(f"{path}: is not a valid index of a feature store") from error
        self._shards: dict[str, Shard] = {}

    @property
    def key(self) -> str:
        """The encoder's canonical spec."""
        return self.record.key

    @property
    def width(self) -> int:
        """D of every track."""
        return self.record.width

    @property
    def fingerprint(self) -> str:
        """The encoder's fingerprint when the features were made."""
        return self.record.fingerprint

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the D columns, or ()."""
        return self.record.columns

    def __getstate__(self) -> dict[str, Any]:
        # Memory maps do not travel between processes; they are opened anew.
        return {**self.__dict__, "_shards": {}}

    def __contains__(self, sample_id: object) -> bool:
        return sample_id in self._where

    def ids(self) -> list[str]:
        """Every id of the store, in order of extraction."""
        return list(self._where)

    def status(self, sample_id: str) -> str:
        """'ok', 'absent', 'failed: <reason>' or 'missing'."""
        if sample_id not in self._where:
            return "missing"
        entry = self._shard(sample_id).entry(sample_id)
        return f"failed: {entry.reason}" if entry.status == "failed" else entry.status

    def steps(self, sample_id: str) -> int:
        """T of an id's track; 0 without one."""
        return self._shard(sample_id).steps(sample_id) if sample_id in self._where else 0

    def path_of(self, sample_id: str) -> Path:
        """The shard that holds an id; KeyError for an unknown id."""
        return self.folder / self._where[sample_id]

    def get(self, sample_id: str) -> FeatureTrack | None:
        """The track of an id; None where the clip has no such channel.

        Raises:
            EmollamaError: the id was never extracted or failed, or its values are not finite.
        """
        if sample_id not in self._where:
            raise EmollamaError(
                f"{self.folder.parent}: holds no '{self.key}' features of sample '{sample_id}'; "
                f"run `emollama extract` on its manifest"
            )
        shard = self._shard(sample_id)
        item = shard.read(sample_id)
        if item.entry.status == "failed":
            raise EmollamaError(
                f"{self.folder.parent}: the '{self.key}' features of sample '{sample_id}' could "
                f"not be extracted: {item.entry.detail}"
            )
        if item.track is not None:
            require_finite(item.track.values, f"{shard.path}: sample '{sample_id}'")
        return item.track

    def _shard(self, sample_id: str) -> Shard:
        name = self._where[sample_id]
        if name not in self._shards:
            shard = Shard(self.folder / name)
            if shard.width != self.width or shard.fingerprint != self.fingerprint:
                raise EmollamaError(
                    f"{shard.path}: was made by another version of '{self.key}' than "
                    f"{self.folder / RECORD}; run `emollama extract` "
                    "again"
                )
            self._shards[name] = shard
        shard = self._shards[name]
        if sample_id not in shard:
            raise EmollamaError(
                f"{shard.path}: lacks sample '{sample_id}', though "
                f"{self.folder / INDEX} lists it; run `emollama extract` "
                "again"
            )
        return shard


class FeatureStore:
    """Feature tracks by encoder and sample id; see the module docstring for the layout."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def open(cls, path: Path) -> FeatureStore:
        """The store in a folder; a missing folder is an `EmollamaError`."""
        need_store(path)
        return cls(path)

    def encoders(self) -> list[str]:
        """Keys of the encoders with features in the store, sorted."""
        return sorted(p.parent.name for p in self.path.glob(f"*/{RECORD}"))

    def reader(self, spec: str) -> StoredTracks:
        """The tracks of an encoder, by its key or any part of the key that is unique.

        "whisper-tiny.en" or "whisper-tiny.en+segments=8" is enough where the store has a single
        encoder of that name (and those options).
        """
        keys = self.encoders()
        found = [spec] if spec in keys else [key for key in keys if _is_part(spec, key)]
        if not found:
            # Another encoder's features are no answer, however like its name is.
            held, name = {key.split("+")[0] for key in keys}, spec.split("+")[0]
            if name not in NAMES:
                name = next(iter(difflib.get_close_matches(name, held, 1, 0.8)), name)
            same = [key for key in keys if key.split("+")[0] == name]
            hint = (
                did_you_mean(spec, same)
                if same
                else f"; run: emollama extract MANIFEST --store {self.path} --encoders {spec}"
            )
            raise EmollamaError(f"{self.path}: holds no features of '{spec}'{hint}")
        if len(found) > 1:
            raise EmollamaError(
                f"{self.path}: '{spec}' is ambiguous: {' or '.join(found)}; write it in full"
            )
        return StoredTracks(self.path / found[0])


def _is_part(spec: str, key: str) -> bool:
    name, *options = spec.split("+")
    full_name, *full_options = key.split("+")
    return name == full_name and set(options) <= set(full_options)


def open_tracks(store: Path | None, spec: str) -> TrackReader:
    """The tracks that a stream's source names.

    Args:
        store: the feature store; may be None for external tracks.
        spec: "npy:FOLDER" for a folder of <id>.npy, else an encoder (see `FeatureStore.reader`).
    """
    if spec.startswith(EXTERNAL):
        return ExternalTracks(Path(spec.removeprefix(EXTERNAL)).expanduser())
    if store is None:
        raise EmollamaError(f"features of '{spec}' need a feature store; give its folder (store)")
    return FeatureStore.open(store).reader(spec)


def relocated_sources(sources: Sequence[str], folder: Path | None) -> list[str]:
    """Sources with their `npy:` folders moved into `folder`; unchanged when None.

    Where `folder` has one under the name of another corpus only, it is that one.

    Raises:
        EmollamaError: two sources would become one folder.
    """
    moved: list[str] = []
    origins: dict[str, str] = {}
    for source in sources:
        if folder is not None and source.startswith(EXTERNAL):
            name = PurePath(source.removeprefix(EXTERNAL)).name
            there = f"{EXTERNAL}{folder / name}"
            if not name or origins.setdefault(there, source) != source:
                raise EmollamaError(
                    f"data.features {folder}: {source} and "
                    f"{origins.get(there, 'others')} have the same folder name; rename "
                    "one of them"
                )
            other = folder / OTHER_NAMES.get(name, name)
            here = other.is_dir() and not (folder / name).is_dir()
            source = f"{EXTERNAL}{other}" if here else there
        moved.append(source)
    return moved
