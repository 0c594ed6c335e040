"""What runs in a worker process of extraction: decode once, then every encoder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from emollama.encoders.base import Encoder, FeatureTrack
from emollama.encoders.table import parse_encoder
from emollama.errors import EmollamaError
from emollama.features.shard import Record
from emollama.media.clip import Clip
from emollama.media.decode import decode_clip


@dataclass(frozen=True)
class Job:
    """One clip to be encoded: which encoders want it, and the signature of its media."""

    id: str
    video: Path | None
    audio: Path | None
    start: float | None
    end: float | None
    source: str
    encoders: tuple[str, ...]


_encoders: dict[str, Encoder] = {}


def start_worker(specs: tuple[str, ...]) -> None:
    """Load the encoders once a process; one thread each, since there is a process a core."""
    torch.set_num_threads(1)
    for spec in specs:
        _encoders[spec] = parse_encoder(spec)


def encode_jobs(jobs: list[Job]) -> dict[str, dict[str, Record]]:
    """Records by clip and encoder; a clip that cannot be decoded fails, and only that clip."""
    results: dict[str, dict[str, Record]] = {job.id: {} for job in jobs}
    clips: dict[str, Clip] = {}
    for job in jobs:
        wanted = [_encoders[spec] for spec in job.encoders]
        frames = max(e.frames for e in wanted)
        try:
            clips[job.id] = decode_clip(
                job.video,
                job.audio,
                start=job.start,
                end=job.end,
                frames=max(frames, 1),
                want_video=frames > 0,
                want_audio=any(e.channel == "voice" for e in wanted),
            )
        except EmollamaError as error:
            reason = getattr(error, "reason", "unreadable")
            for spec in job.encoders:
                results[job.id][spec] = Record(f"failed: {reason}: {error}", job.source)
    for spec, encoder in _encoders.items():
        mine = [j for j in jobs if j.id in clips and spec in j.encoders]
        for job, record in zip(mine, _encode(encoder, mine, clips), strict=True):
            results[job.id][spec] = record
    return results


def _encode(encoder: Encoder, jobs: list[Job], clips: dict[str, Clip]) -> list[Record]:
    """All clips in one call; if that fails, one by one, so that only the bad one is lost."""
    try:
        tracks = encoder.encode([clips[j.id] for j in jobs])
    except (EmollamaError, RuntimeError, ValueError, IndexError) as error:
        if len(jobs) > 1:
            return [r for j in jobs for r in _encode(encoder, [j], clips)]
        why = f"failed: encoder: {encoder.key}: {' '.join(str(error).split())}"
        return [Record(why, j.source) for j in jobs]
    return [_record(encoder, job, track) for job, track in zip(jobs, tracks, strict=True)]


def _record(encoder: Encoder, job: Job, track: FeatureTrack | None) -> Record:
    if track is None:
        return Record("absent", job.source)
    if not np.isfinite(track.values).all():
        return Record(f"failed: NaN: {encoder.key} gave NaN or infinity", job.source)
    return Record("ok", job.source, track)
