"""Exports a feature store's tracks to folders of `<id>.npy`, which MERTools and Emotion-LLaMA read.

Beside the store's own folders: `<name>-UTT/<id>.npy` holds the mean over time, [D], of every clip;
`<name>-FRA/<id>.npy` holds the track, [T, D], and is written for encoders with any track of more
than one step. `<name>` is the encoder's name without its options; the options and the fingerprint
are in the folder's `made_of.json`, so vectors of two kinds never mix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.base.files import atomic_path, read_json, write_json
from emollama.features.external import COLUMNS_FILE
from emollama.features.store import StoredTracks
from emollama.manifest.sample import stays_inside

MADE_OF = "made_of.json"


@dataclass
class NpyReport:
    """The result of exporting one encoder.

    Attributes:
        folder: the `-UTT` folder, or the `-FRA` one.
        written: files written now.
        kept: existing files that are newer than the store's shard.
        absent: ids without this channel; no file.
        failed: ids whose extraction failed; no file.
        unsafe: ids that cannot name a file inside the folder.
    """

    folder: Path
    written: int = 0
    kept: int = 0
    absent: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    unsafe: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """One readable line of counts, with the first ids that have no file."""
        found = [f"{self.written} written", f"{self.kept} kept"]
        for what in ("absent", "failed", "unsafe"):
            ids: list[str] = getattr(self, what)
            if ids:
                more = ", ..." if len(ids) > 3 else ""
                found.append(f"{len(ids)} {what} ({', '.join(ids[:3])}{more})")
        return [f"{self.folder}: {', '.join(found)}"]


@dataclass(frozen=True)
class NpyReports:
    """The folders of one encoder."""

    folders: tuple[NpyReport, ...]

    def lines(self) -> list[str]:
        """For people."""
        return [line for report in self.folders for line in report.lines()]


def check_names(keys: Iterable[str]) -> None:
    """Raise an error for encoders that would share a folder."""
    names = [key.split("+")[0] for key in keys]
    for name in names:
        if names.count(name) > 1:
            raise EmollamaError(
                f"--format npy: '{name}' is given twice with different options, but "
                f"both would write {name}-UTT; extract them into separate stores"
            )


def export_npy(store: Path, key: str, ids: Sequence[str]) -> NpyReports:
    """Write the `.npy` folders of one encoder of a complete store.

    Files newer than their shard are left as they are, so that a stopped export can resume. The file
    of an id without a track (any more) is removed.

    Args:
        store: the feature store.
        key: the encoder's folder in it.
        ids: the clips.

    Raises:
        EmollamaError: a folder holds vectors of another encoder or cannot be written.
    """
    tracks = StoredTracks(store / key)
    name = key.split("+")[0]
    reports = [_fill(store / f"{name}-UTT", tracks, ids, _mean)]
    if any(tracks.steps(sample_id) > 1 for sample_id in ids):
        reports.append(_fill(store / f"{name}-FRA", tracks, ids, lambda values: values))
    return NpyReports(tuple(reports))


def _mean(values: np.ndarray) -> np.ndarray:
    return values.mean(axis=0, dtype=np.float32)


def _fill(
    folder: Path,
    tracks: StoredTracks,
    ids: Sequence[str],
    form: Callable[[np.ndarray], np.ndarray],
) -> NpyReport:
    report = NpyReport(folder)
    _claim(folder, tracks)
    if tracks.columns:
        write_json(folder / COLUMNS_FILE, list(tracks.columns))
    for sample_id in ids:
        if not stays_inside(sample_id):
            report.unsafe.append(sample_id)
            continue
        path = folder / f"{sample_id}.npy"
        status = tracks.status(sample_id)
        if status != "ok":
            (report.absent if status == "absent" else report.failed).append(sample_id)
            _remove(path)
        elif _is_newer(path, tracks.path_of(sample_id)):
            report.kept += 1
        else:
            track = tracks.get(sample_id)
            assert track is not None, "a track with status ok"
            with atomic_path(path) as temporary, temporary.open("wb") as out:
                np.save(out, form(track.values), allow_pickle=False)
            report.written += 1
    return report


def _claim(folder: Path, tracks: StoredTracks) -> None:
    """Check that the folder belongs to this encoder, or create it."""
    record = {"key": tracks.key, "fingerprint": tracks.fingerprint}
    path = folder / MADE_OF
    if path.is_file():
        known = read_json(path)
        if known != record:
            other = known.get("key") if isinstance(known, dict) else None
            what = "another version of it" if other == tracks.key else f"'{other}'"
            raise EmollamaError(
                f"{folder}: holds vectors of {what}, not of this '{tracks.key}'; remove the folder "
                "or use another store"
            )
        return
    if folder.exists() and (not folder.is_dir() or any(folder.glob("[!.]*"))):
        raise EmollamaError(
            f"{folder}: exists but was not written by an extraction; remove it or use another store"
        )
    write_json(path, record)


def _is_newer(path: Path, shard: Path) -> bool:
    try:
        return path.stat().st_mtime_ns >= shard.stat().st_mtime_ns
    except OSError:
        return False


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise EmollamaError(f"{path}: cannot be removed: {error.strerror or error}") from error
