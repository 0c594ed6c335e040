"""Features in the csd format of the CMU Multimodal SDK, cut into the tracks of a manifest's clips.

A computational sequence is HDF5: `<sequence>/data/<video>/` with `features` [n, D] and `intervals`
[n, 2] in seconds of the video, for example COVAREP (74 columns, 100 a second), OpenFace or the
time-stamped GloVe vectors of CMU-MOSEI.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import numpy as np

from emollama.base.errors import EmollamaError, require_known
from emollama.base.files import file_sha256, sole_writer
from emollama.encoders.base import FeatureTrack
from emollama.features.shards import SUFFIX, Entry, Extracted, Status, write_shard
from emollama.features.store import (
    INDEX,
    RECORD,
    EncoderRecord,
    check_key,
    read_record,
    write_index,
    write_record,
)
from emollama.manifest.channels import Channel
from emollama.manifest.sample import Sample, read_manifest

SHARD = 1000
"""Clips per file of the store."""


@dataclass(frozen=True)
class CsdImport:
    """Counts of clips with a track, of clips without one (no step of the sequence lies in their
    span), and of non-finite numbers that became 0, as is common with these features.
    """

    tracks: int
    absent: int
    not_finite: int


def import_csd(csd: Path, manifest: Path, store: Path, key: str, channel: Channel) -> CsdImport:
    """Write `store/<key>`: for each clip, the steps whose centre lies in its span.

    A clip is the video named by `group` from `start` to `end`; times of its track begin at `start`.

    Raises:
        EmollamaError: not a csd file of features, arrays that do not match, a clip without group,
            start or end, no clip with a step, or other features stored under that key.
    """
    require_known("channel", channel, get_args(Channel))
    check_key(key)
    samples = read_manifest(manifest).samples
    for sample in samples:
        if sample.group is None or sample.start is None or sample.end is None:
            raise EmollamaError(
                f"{manifest}: '{sample.id}' has no group, start and end to locate it in "
                "a video; prepare the corpus with its raw transcripts"
            )
    folder = store / key
    with sequence(csd) as videos, sole_writer(store, f"{store}: another run is writing to it"):
        record = EncoderRecord(key, channel, _width(videos, csd), _fingerprint(csd), columns=())
        if (folder / RECORD).is_file() and read_record(folder) != record:
            raise EmollamaError(
                f"{folder}: holds different features; remove the folder or choose another --key"
            )
        (folder / INDEX).unlink(missing_ok=True)
        for old in folder.glob(f"*{SUFFIX}"):
            old.unlink()
        write_record(folder, record)
        index: list[tuple[str, list[str]]] = []
        counts = {"ok": 0, "absent": 0}
        cleaned = 0
        found = _tracks(videos, csd, samples, record.width)
        while batch := list(islice(found, SHARD)):
            name = f"{len(index):05d}{SUFFIX}"
            items = []
            for sample, track, bad in batch:
                status: Status = "absent" if track is None else "ok"
                counts[status] += 1
                cleaned += bad
                items.append(Extracted(Entry(sample.id, record.fingerprint, status), track))
            write_shard(folder / name, record.width, record.fingerprint, items)
            index.append((name, [item.entry.id for item in items]))
        if not counts["ok"]:
            raise EmollamaError(f"{csd}: no step lies within a clip of {manifest}")
        write_index(folder, index)
    return CsdImport(counts["ok"], counts["absent"], cleaned)


@contextmanager
def sequence(path: Path) -> Iterator[Any]:
    """The `data` group of a csd file: a group of `features` and `intervals` a video.

    Raises:
        EmollamaError: not an HDF5 file of that form.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            roots = [g["data"] for g in file.values() if isinstance(g, h5py.Group) and "data" in g]
            if len(roots) != 1 or not isinstance(roots[0], h5py.Group):
                raise EmollamaError(
                    f"{path}: must hold one sequence with a group 'data', but has {len(roots)}"
                )
            yield roots[0]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise EmollamaError(f"{path}: is not a csd file: {error}") from error


def arrays(group: Any, where: str) -> tuple[np.ndarray, np.ndarray]:
    """`features` [n, D] and `intervals` [n, 2] of a video."""
    import h5py

    if not isinstance(group, h5py.Group):
        raise EmollamaError(f"{where}: must be a group of 'features' and 'intervals'")
    for name in ("features", "intervals"):
        if not isinstance(group.get(name), h5py.Dataset):
            raise EmollamaError(f"{where}: has no array '{name}'")
    features, intervals = np.asarray(group["features"]), np.asarray(group["intervals"])
    if features.ndim != 2 or features.dtype.kind not in "fiu":
        raise EmollamaError(
            f"{where}: features must be numbers [n, D], not {features.dtype} {list(features.shape)}"
        )
    if intervals.shape != (len(features), 2) or intervals.dtype.kind not in "fiu":
        raise EmollamaError(
            f"{where}: intervals must be numbers [{len(features)}, 2], "
            f"not {intervals.dtype} {list(intervals.shape)}"
        )
    return features, intervals


def _tracks(
    videos: Any, csd: Path, samples: tuple[Sample, ...], width: int
) -> Iterator[tuple[Sample, FeatureTrack | None, int]]:
    """Each sample, its track (or None) and how many of its numbers became 0."""
    open_video: tuple[str, np.ndarray, np.ndarray] | None = None
    for sample in samples:
        video = str(sample.group)
        if video not in videos:
            yield sample, None, 0
            continue
        if open_video is None or open_video[0] != video:
            where = f"{csd}: '{video}'"
            features, intervals = arrays(videos[video], where)
            if features.shape[1] != width:
                raise EmollamaError(
                    f"{where}: is {features.shape[1]} columns wide, the other videos {width}"
                )
            open_video = (video, features, intervals.astype(np.float64).mean(axis=1))
        _, features, centres = open_video
        start, end = float(sample.start or 0), float(sample.end or 0)
        (steps,) = np.nonzero((centres >= start) & (centres < end))
        if not len(steps):
            yield sample, None, 0
            continue
        steps = steps[np.argsort(centres[steps], kind="stable")]
        with np.errstate(over="ignore"):
            values = features[steps].astype(np.float32)
        bad = ~np.isfinite(values)
        values[bad] = 0
        times = (centres[steps] - start).astype(np.float32)
        yield sample, FeatureTrack(values, times), int(bad.sum())


def _width(videos: Any, csd: Path) -> int:
    for video, group in videos.items():
        return arrays(group, f"{csd}: '{video}'")[0].shape[1]
    raise EmollamaError(f"{csd}: holds no videos")


def _fingerprint(csd: Path) -> str:
    """A hash of the file, since the tool behind the features is not known."""
    return f"csd-{file_sha256(csd)[:16]}"
