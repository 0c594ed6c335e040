"""Records facts about one clip in a worker process, without judging them.

Two checks, "media" and "face", are the tools of a worker pool, as encoders are in an extraction.
The same decoder reads the clip, so a clip that fails here would fail there, too.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from pydantic import ConfigDict

from emollama.base.errors import EmollamaError
from emollama.media.clip import SAMPLE_RATE, Clip, MediaError
from emollama.media.decode import decode_clip
from emollama.media.lengths import Interval, TrackLengths, track_lengths
from emollama.media.pictures import frame_files
from emollama.workers.worker import Failure, Job, unforeseen

MEDIA, FACE = "media", "face"
"""Keys of the checks."""

_CODE = "1"  # raised whenever the facts change
_FRAMES = 8  # looked at in a clip, at the centres of as many equal parts
_QUIETEST = -120.0  # dBFS that digital silence is given
_BLOCK = 1 << 20  # bytes


@dataclass(frozen=True)
class FileFacts:
    """Facts about one file of a clip.

    Attributes:
        digest: SHA-256 of the file's bytes.
        stated: length in seconds from the header, or None.
        picture: start and end of the video track in seconds from the file's zero, or None.
        sound: of the sound track, likewise.
        has_picture: whether the header lists a video track.
        has_sound: whether it lists a sound track.
        frames: number of decoded frames (at most `_FRAMES`).
        level: root mean square of the loudest tenth of a second in dBFS; None if no sound was
            decoded.
        sound_digest: SHA-256 of the decoded sound as 16-bit numbers; None likewise.
        damaged: number of skipped packets.
    """

    # For those that are read back: JSON may hold numbers beyond any.
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(allow_inf_nan=False)

    digest: str
    stated: float | None
    picture: Interval | None
    sound: Interval | None
    has_picture: bool
    has_sound: bool
    frames: int
    level: float | None
    sound_digest: str | None
    damaged: int

    @property
    def end(self) -> float:
        """End of the last track in seconds; from the header if no packet has a time."""
        ends = [track[1] for track in (self.picture, self.sound) if track]
        return max(ends, default=self.stated or 0.0)


@dataclass(frozen=True)
class MediaFacts:
    """Facts about the files of a clip; a file that failed is a `Failure` with its reason.

    Attributes:
        video: None if the sample names no video.
        audio: None if it names no separate audio file.
    """

    video: FileFacts | Failure | None
    audio: FileFacts | Failure | None


@dataclass(frozen=True)
class FaceFacts:
    """Number of checked frames, and of those with a face; 0 frames without a picture."""

    frames: int
    with_face: int


Facts = MediaFacts | FaceFacts


class View:
    """A clip whose files are decoded lazily, each once for all checks."""

    def __init__(self, job: Job) -> None:
        self.job = job

    @cached_property
    def video(self) -> Clip | Failure:
        """Frames, and the voice if no other file has it."""
        return self._decode(self.job.video, want_audio=self.job.audio is None)

    @cached_property
    def audio(self) -> Clip | Failure:
        """The voice from its own file."""
        return self._decode(self.job.audio, want_video=False)

    def _decode(
        self, path: Path | None, want_video: bool = True, want_audio: bool = True
    ) -> Clip | Failure:
        try:
            return decode_clip(
                path,
                start=self.job.start,
                end=self.job.end,
                frames=_FRAMES,
                want_video=want_video,
                want_audio=want_audio,
                fps=self.job.fps,
                view=self.job.view,
            )
        except MediaError as error:
            return Failure(error.reason, str(error))


class Check(Protocol):
    """A check that a worker runs on every clip."""

    @property
    def fingerprint(self) -> str: ...  # noqa: D102

    def look(self, view: View) -> Facts | Failure:
        """The facts about one clip, or why there are none."""
        ...


class MediaCheck:
    """Opens, measures, hashes and decodes the files of a clip."""

    fingerprint = _CODE

    def look(self, view: View) -> MediaFacts:
        """The facts about each file of the clip."""
        job = view.job
        return MediaFacts(
            None if job.video is None else _file_facts(job.video, view.video, job.fps),
            None if job.audio is None else _file_facts(job.audio, view.audio, job.fps),
        )


class FaceCheck:
    """Searches for a face with the detector that face encoders use."""

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the detector's weights."""
        from emollama.assets import fetch, weights_hash

        return f"{_CODE}:{weights_hash(fetch('mtcnn'))}"

    @cached_property
    def _finder(self) -> Any:
        from emollama.encoders.crops import FaceFinder

        return FaceFinder()

    def look(self, view: View) -> FaceFacts | Failure:
        """The number of frames with a face."""
        clip = view.video
        if isinstance(clip, Failure):
            return clip
        if clip.frames is None:
            return FaceFacts(0, 0)
        faces = self._finder.find(clip.frames.images)
        return FaceFacts(len(faces), sum(face is not None for face in faces))


CHECKS: dict[str, Callable[[], Check]] = {MEDIA: MediaCheck, FACE: FaceCheck}


def build_check(key: str) -> Check:
    """Build a check from its key, in a worker."""
    return CHECKS[key]()


def look_at(jobs: Sequence[Job], checks: dict[str, Check]) -> list[dict[str, Facts | Failure]]:
    """Run the checks that each clip needs, in a worker."""
    outcomes: list[dict[str, Facts | Failure]] = []
    for job in jobs:
        view = View(job)
        outcomes.append({})
        for key in job.keys:
            try:
                outcomes[-1][key] = checks[key].look(view)
            except EmollamaError:
                raise
            except Exception as error:
                outcomes[-1][key] = unforeseen(key, error)
    return outcomes


def _file_facts(path: Path, clip: Clip | Failure, fps: float | None) -> FileFacts | Failure:
    if isinstance(clip, Failure):
        return clip
    try:
        status = path.stat()
        digest, lengths = _whole_file(path, status.st_size, status.st_mtime_ns, fps)
    except OSError as error:
        return Failure("unreadable", f"{path}: cannot be read: {error.strerror or error}")
    except MediaError as error:
        return Failure(error.reason, str(error))
    level, sound_digest = _sound(clip.audio)
    return FileFacts(
        digest,
        lengths.stated,
        lengths.picture,
        lengths.sound,
        lengths.has_picture,
        lengths.has_sound,
        0 if clip.frames is None else len(clip.frames.images),
        level,
        sound_digest,
        clip.damaged,
    )


@lru_cache(maxsize=256)
def _whole_file(path: Path, size: int, changed: int, fps: float | None) -> tuple[str, TrackLengths]:
    """Digest and lengths of a file, cached, since many clips may be spans of it.

    `size` and `changed` (nanoseconds) are part of the cache key.
    """
    digest = hashlib.sha256()
    for file in frame_files(path):
        with file.open("rb") as content:
            while block := content.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest(), track_lengths(path, fps)


def _sound(audio: np.ndarray | None) -> tuple[float | None, str | None]:
    """dBFS and digest of float32 [n]."""
    if audio is None or not len(audio):
        return None, None
    # The loudest tenth of a second: a quiet voice between long pauses is no silence.
    window = min(len(audio), SAMPLE_RATE // 10)
    blocks = audio[: len(audio) // window * window].reshape(-1, window)
    power = float(np.square(blocks, dtype=np.float64).mean(1).max())
    level = max(10 * math.log10(power), _QUIETEST) if power > 0 else _QUIETEST
    numbers = np.round(audio * 32767).astype("<i2")
    return round(level, 2), hashlib.sha256(numbers.tobytes()).hexdigest()
