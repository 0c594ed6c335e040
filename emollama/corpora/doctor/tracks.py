"""Findings about the feature tracks in a store for a manifest's clips."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.corpora.doctor.clips import Looked
from emollama.corpora.doctor.findings import Finding
from emollama.corpora.doctor.limits import Limits
from emollama.encoders.base import FeatureTrack
from emollama.features.shards import Extracted, Shard
from emollama.features.store import FeatureStore, StoredTracks
from emollama.manifest.sample import Manifest
from emollama.manifest.signature import signature, text_signature
from emollama.media.decode import MAX_SECONDS

_WINDOW = 30.0
"""Seconds: voice encoders may stop there, so a track may end there, too."""


def open_store(path: Path) -> FeatureStore:
    """The feature store in a folder.

    Raises:
        EmollamaError: the store does not exist or is empty.
    """
    store = FeatureStore.open(path)
    if not store.encoders():
        raise EmollamaError(f"{path}: holds no features; run `emollama extract` first")
    return store


def track_findings(
    manifest: Manifest,
    clips: Sequence[Looked],
    store: FeatureStore,
    limits: Limits,
    progress: Callable[[int, int], None],
) -> list[Finding]:
    """Read every track of every encoder in a store.

    One shard is open at a time, so memory does not grow with the corpus. Clips without text are
    skipped for text encoders, clips without media for the others.

    Args:
        manifest: the manifest of the clips.
        clips: in the manifest's order.
        store: a store with features.
        limits: only `tolerance` is used.
        progress: called with (tracks read, tracks to read).
    """
    encoders = store.encoders()
    done, total = 0, len(encoders) * len(clips)
    findings: list[Finding] = []
    for key in encoders:
        for found in _of_encoder(manifest, clips, store.path / key, limits):
            findings.extend(found)
            done += 1
            if done % 100 == 0:
                progress(done, total)
    progress(total, total)
    return findings


def _of_encoder(
    manifest: Manifest, clips: Sequence[Looked], folder: Path, limits: Limits
) -> Iterator[list[Finding]]:
    """The findings, clip by clip."""
    try:
        tracks = StoredTracks(folder)
    except EmollamaError as error:
        yield [Finding("unreadable features", (), str(error))]
        return
    words = tracks.record.channel == "words"
    by_shard: dict[Path, list[Looked]] = {}
    for clip in clips:
        sample = clip.sample
        wanted = sample.text if words else sample.video or sample.audio
        if not wanted:
            continue
        if sample.id in tracks:
            by_shard.setdefault(tracks.path_of(sample.id), []).append(clip)
        else:
            yield [
                Finding("missing track", (sample.id,), f"'{tracks.key}' has no track of this clip")
            ]
    for path, own in by_shard.items():
        try:
            shard = Shard(path)
        except EmollamaError as error:
            yield [Finding("unreadable features", tuple(c.sample.id for c in own), str(error))]
            continue
        for clip in own:
            if clip.sample.id not in shard:
                detail = f"{path} lacks it, though the index lists it"
                yield [Finding("missing track", (clip.sample.id,), detail)]
                continue
            item = shard.read(clip.sample.id)
            now = text_signature(clip.sample) if words else signature(manifest, clip.sample)
            yield [
                Finding(kind, (clip.sample.id,), f"'{tracks.key}' {detail}")
                for kind, detail in _faults(item, clip, now, words, limits).items()
            ]


def _faults(
    item: Extracted, clip: Looked, now: str, words: bool, limits: Limits
) -> Mapping[str, str]:
    """The kinds of faults of one track, with details."""
    if item.entry.status == "failed":
        return {"failed track": f"failed ({item.entry.reason}): {item.entry.detail}"}
    faults: dict[str, str] = {}
    if item.entry.signature != now:
        what = "another text" if words else "a file that had another path, span, size or date"
        faults["other media"] = f"was extracted from {what}"
    if item.track is None:
        return faults
    if fault := _not_finite(item.track):
        faults["not finite"] = fault
    elif not words and clip.seconds is not None:
        faults.update(_misfit(item.track, min(clip.seconds, MAX_SECONDS), limits))
    return faults


def _not_finite(track: FeatureTrack) -> str | None:
    finite = np.isfinite(track.values)
    if not finite.all():
        step, column = (int(i) for i in np.argwhere(~finite)[0])
        return (
            f"holds {track.values[step, column]} at step {step}, column {column}; "
            f"{int((~finite).sum())} of {finite.size} values are not finite"
        )
    return None if np.isfinite(track.times).all() else "holds times that are not finite"


def _misfit(track: FeatureTrack, seconds: float, limits: Limits) -> Mapping[str, str]:
    """Check whether the times of the steps (centres, in seconds) fit a clip of this length."""
    first, last = float(track.times[0]), float(track.times[-1])
    told = f"has its last step at {last:.2f} s of a clip of {seconds:.2f} s"
    if last > seconds + limits.tolerance:
        return {"track too long": told}
    # Steps that all stand at one moment are not spread over a clip: patches of a single frame.
    if first < last < min(seconds, _WINDOW) / 2 - limits.tolerance:
        return {"track too short": told}
    return {}
