"""A decoded clip: upright frames with their times, and 16 kHz mono sound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from emollama.base.errors import EmollamaError

SAMPLE_RATE = 16_000
"""Sampling rate of every `Clip.audio`, as Whisper's front end expects."""

MAX_SIDE = 480
"""Pixels; larger pictures are scaled down to this unless a reader says what it must see."""

Reason = Literal["unreadable", "missing", "no streams", "empty span", "too long", "too large"]


class MediaError(EmollamaError):
    """A clip that cannot be decoded; `reason` is a short category for failure tables."""

    def __init__(self, message: str, reason: Reason) -> None:
        super().__init__(message)
        self.reason: Reason = reason

    def __reduce__(self) -> tuple[type[MediaError], tuple[str, Reason]]:
        # An exception with a second argument would not come back from a worker process.
        return type(self), (str(self), self.reason)


@dataclass(frozen=True)
class Frames:
    """Frames of a clip, sorted by time.

    Attributes:
        images: uint8 [N, H, W, 3], RGB, upright (the file's rotation is applied).
        times: float64 [N], seconds from the clip's start.
    """

    images: np.ndarray
    times: np.ndarray


@dataclass(frozen=True)
class Clip:
    """A decoded media file, or a span of one.

    Attributes:
        frames: None where there is no video track or it was not asked for.
        audio: float32 [n], `SAMPLE_RATE` mono in -1..1, aligned to the clip's time zero; None
            where there is no audio track or it was not asked for.
        duration: seconds.
        text: the subtitle, for text encoders; decoding leaves it None.
        notes: remarks for the reader of a result, e.g. "no audio track".
        damaged: number of packets that could not be decoded and were skipped.
        spoken: whether somebody speaks in the sound; None where nobody has listened.
        speech_seconds: for how long.
    """

    frames: Frames | None
    audio: np.ndarray | None
    duration: float
    notes: tuple[str, ...] = ()
    text: str | None = None
    damaged: int = 0
    spoken: bool | None = None
    speech_seconds: float | None = None
