"""Decoding and encoding a clip in a worker process.

Both happen in the worker, so that frames never travel between processes and every core works on
whole clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.encoders.base import Encoder, FeatureTrack, View, view_of
from emollama.encoders.presence import Absent, encode
from emollama.manifest.sample import Manifest, Sample
from emollama.media.clip import Clip, MediaError
from emollama.media.cutting import Box
from emollama.media.decode import decode_clip
from emollama.media.presence import LEAST_SPEECH, speech_in


@dataclass(frozen=True)
class Job:
    """A clip to decode once, and the keys of the tools that need it.

    `fps` is of a frame folder; `view` the part of the picture that is looked at, None for all;
    `mute` leaves out the sound.
    """

    id: str
    video: Path | None
    audio: Path | None
    start: float | None
    end: float | None
    text: str | None
    keys: tuple[str, ...]
    fps: float | None = None
    view: Box | None = None
    mute: bool = False


def job_of(manifest: Manifest, sample: Sample, keys: tuple[str, ...]) -> Job:
    """A sample of a manifest as a job."""
    video, audio = (
        None if name is None else manifest.media(name) for name in (sample.video, sample.audio)
    )
    return Job(
        sample.id, video, audio, sample.start, sample.end, sample.text, keys, sample.fps,
        sample.view, sample.mute,
    )  # fmt: skip


@dataclass(frozen=True)
class Failure:
    """Why there is no track: a short category and the full message."""

    reason: str
    detail: str


Outcome = FeatureTrack | Failure | Absent
"""The outcome of one clip and one encoder."""


class Tool(Protocol):
    """Built once per worker and used on every clip: an encoder, or a check of the media."""

    @property
    def fingerprint(self) -> str: ...  # noqa: D102


def process(jobs: Sequence[Job], encoders: dict[str, Encoder]) -> list[dict[str, Outcome]]:
    """Decode each clip once, then run each encoder on a batch of the clips that need it.

    Text encoders get the subtitle only, even of a clip that cannot be decoded.
    """
    outcomes: list[dict[str, Outcome]] = [{} for _ in jobs]
    clips: list[dict[View, Clip]] = []
    for job, outcome in zip(jobs, outcomes, strict=True):
        keys = [key for key in job.keys if encoders[key].channel != "words"]
        clips.append({})
        try:
            if keys:
                clips[-1] = decode_views(job, [encoders[key] for key in keys])
        except MediaError as error:
            outcome.update(dict.fromkeys(keys, Failure(error.reason, str(error))))
        except EmollamaError:
            raise
        except Exception as error:
            outcome.update(dict.fromkeys(keys, unforeseen("decoding", error)))
    for key, encoder in encoders.items():
        words = encoder.channel == "words"
        which = [i for i, job in enumerate(jobs) if key in job.keys and (words or clips[i])]
        given = [
            Clip(None, None, 0.0, text=jobs[i].text) if words else clip_for(encoder, clips[i])
            for i in which
        ]
        for i, value in zip(which, _encode(encoder, given), strict=True):
            outcomes[i][key] = value
    return outcomes


def decode_views(
    job: Job, encoders: Sequence[Encoder], want_audio: bool = False
) -> dict[View, Clip]:
    """The clip by view, in the encoders' order; decoded once unless encoders need different views.

    `want_audio` decodes the sound even where no encoder needs it. Where one does, the clips tell
    whether somebody speaks.

    Raises:
        MediaError: the file cannot be decoded.
        EmollamaError: the asset that detects speech is not available.
    """
    views = list(dict.fromkeys(view_of(e) for e in encoders if e.frames)) or [View()]
    judged = any(e.channel == "voice" for e in encoders)
    want_audio = (want_audio or judged) and not job.mute
    clips = {
        view: decode_clip(
            job.video,
            job.audio,
            start=job.start,
            end=job.end,
            frames=max(view.frames, 1),
            opening=view.opening,
            max_side=view.max_side,
            want_video=view.frames > 0,
            want_audio=want_audio and i == 0,
            fps=job.fps,
            view=job.view,
        )
        for i, view in enumerate(views)
    }
    first = next(iter(clips.values()))
    if judged and first.audio is not None:
        seconds = speech_in(first.audio)
        spoken = seconds >= LEAST_SPEECH
        clips[views[0]] = replace(first, spoken=spoken, speech_seconds=seconds)
    return clips


def clip_for(encoder: Encoder, clips: dict[View, Clip]) -> Clip:
    """The part of `decode_views` that an encoder gets."""
    # The sound was decoded with the first; an encoder of the voice wants no frames.
    return clips[view_of(encoder)] if encoder.frames else next(iter(clips.values()))


def _encode(encoder: Encoder, clips: Sequence[Clip]) -> list[Outcome]:
    """Encode as one batch; if that raises, one by one, so that only the culprits fail."""
    if not clips:
        return []
    try:
        tracks = encode(encoder, clips)
    except EmollamaError:
        raise
    except Exception as error:
        if len(clips) == 1:
            return [unforeseen(encoder.key, error)]
        return [_encode(encoder, [clip])[0] for clip in clips]
    return [_checked(encoder, track) for track in tracks]


def _checked(encoder: Encoder, track: FeatureTrack | Absent) -> Outcome:
    if isinstance(track, Absent):
        return track
    values = np.ascontiguousarray(track.values, dtype=np.float32)
    times = np.ascontiguousarray(track.times, dtype=np.float32)
    if values.ndim != 2 or values.shape[1] != encoder.width or times.shape != values.shape[:1]:
        what = f"gave values {values.shape} and times {times.shape}, its width is {encoder.width}"
        return Failure("wrong shape", f"{encoder.key} {what}")
    if not len(values):
        return Absent("an empty track")
    if not np.isfinite(values).all():
        return Failure("not finite", f"{encoder.key} gave NaN or infinity")
    return FeatureTrack(values, times)


def unforeseen(where: str, error: Exception) -> Failure:
    """An unexpected exception, as the failure of one clip."""
    text = " ".join(str(error).split()) or "no message"
    return Failure(type(error).__name__, f"{where}: {type(error).__name__}: {text}")
