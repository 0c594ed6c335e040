"""Looking at one clip, in a worker process: facts, no judgement.

Two checks, "media" and "face", are the tools of a worker pool, in the place that encoders have in
an extraction. The same decoder reads the clip, so what cannot be decoded here would not be there.
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
from emollama.media.lengths import Stretch, TrackLengths, track_lengths
from emollama.workers.worker import Failure, Job, unforeseen

MEDIA, FACE = "media", "face"
"""Keys of the checks."""

_CODE = "1"  # raised whenever the facts change
_FRAMES = 8  # looked at in a clip, at the centres of as many equal parts
_QUIETEST = -120.0  # dBFS that digital silence is given
_BLOCK = 1 << 20  # bytes


@dataclass(frozen=True)
class FileFacts:
    """What was seen of one file of a clip.

    Attributes:
        digest: SHA-256 of the file's bytes.
        stated: seconds the header says; None where it says nothing.
        picture: begin and end of the pictures' track in seconds from the file's zero, or None.
        sound: of the sound track, likewise.
        has_picture: whether the header lists a track of pictures.
        has_sound: whether it lists a track of sound.
        frames: how many frames were decoded (at most `_FRAMES`).
        level: root mean square of the loudest tenth of a second in dBFS; None where no sound was
            decoded.
        sound_digest: SHA-256 of the decoded sound as 16-bit numbers; None likewise.
        damaged: packets passed over.
    """

    # For those that are read back: JSON may hold numbers beyond any.
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(allow_inf_nan=False)

    digest: str
    stated: float | None
    picture: Stretch | None
    sound: Stretch | None
    has_picture: bool
    has_sound: bool
    frames: int
    level: float | None
    sound_digest: str | None
    damaged: int

    @property
    def end(self) -> float:
        """Seconds at which the last track ends; what the header says where no packet does."""
        ends = [track[1] for track in (self.picture, self.sound) if track]
        return max(ends, default=self.stated or 0.0)


@dataclass(frozen=True)
class MediaFacts:
    """What was seen of the files of a clip; a file that failed is a `Failure` with its reason.

    Attributes:
        video: None where the sample names no video.
        audio: None where it names no audio of its own.
    """

    video: FileFacts | Failure | None
    audio: FileFacts | Failure | None


@dataclass(frozen=True)
class FaceFacts:
    """In how many of the frames looked at there is a face; None of them without a picture."""

    frames: int
    with_face: int


Facts = MediaFacts | FaceFacts


class View:
    """A clip whose files are decoded when first looked at, each once for all checks."""

    def __init__(self, job: Job) -> None:
        self.job = job

    @cached_property
    def video(self) -> Clip | Failure:
        """Frames, and the voice where no other file has it."""
        return self._decode(self.job.video, want_audio=self.job.audio is None)

    @cached_property
    def audio(self) -> Clip | Failure:
        """The voice out of its own file."""
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
            )
        except MediaError as error:
            return Failure(error.reason, str(error))


class Check(Protocol):
    """What a worker does with every clip."""

    @property
    def fingerprint(self) -> str: ...  # noqa: D102

    def look(self, view: View) -> Facts | Failure:
        """The facts of one clip, or why there are none."""
        ...


class MediaCheck:
    """Opens, measures, hashes and decodes the files of a clip."""

    fingerprint = _CODE

    def look(self, view: View) -> MediaFacts:
        """The facts of each file the clip has."""
        job = view.job
        return MediaFacts(
            None if job.video is None else _file_facts(job.video, view.video),
            None if job.audio is None else _file_facts(job.audio, view.audio),
        )


class FaceCheck:
    """Looks for a face with the finder that encoders of the face use."""

    @cached_property
    def fingerprint(self) -> str:
        """Of the detector's weights."""
        from emollama.assets import fetch, weights_hash

        return f"{_CODE}:{weights_hash(fetch('mtcnn'))}"

    @cached_property
    def _finder(self) -> Any:
        from emollama.encoders.crops import FaceFinder

        return FaceFinder()

    def look(self, view: View) -> FaceFacts | Failure:
        """In how many frames there is a face."""
        clip = view.video
        if isinstance(clip, Failure):
            return clip
        if clip.frames is None:
            return FaceFacts(0, 0)
        faces = self._finder.find(clip.frames.images)
        return FaceFacts(len(faces), sum(face is not None for face in faces))


CHECKS: dict[str, Callable[[], Check]] = {MEDIA: MediaCheck, FACE: FaceCheck}


def build_check(key: str) -> Check:
    """The check of a key; what workers build them with."""
    return CHECKS[key]()


def look_at(jobs: Sequence[Job], checks: dict[str, Check]) -> list[dict[str, Facts | Failure]]:
    """The work of a worker: the checks that each clip wants."""
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


def _file_facts(path: Path, clip: Clip | Failure) -> FileFacts | Failure:
    if isinstance(clip, Failure):
        return clip
    try:
        status = path.stat()
        digest, lengths = _whole_file(path, status.st_size, status.st_mtime_ns)
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
def _whole_file(path: Path, size: int, changed: int) -> tuple[str, TrackLengths]:
    """Digest and lengths of a file, once for the many clips that may be spans of it.

    `size` and `changed` (nanoseconds) make it another entry when the file is another.
    """
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while block := content.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest(), track_lengths(path)


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
