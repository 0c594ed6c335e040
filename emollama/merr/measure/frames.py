"""Samples pictures of a clip at a fixed rate, with their numbers in the file."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emollama.media.cutting import Box
from emollama.media.decode import decode_clip
from emollama.media.lengths import picture_packets

MOST_FRAMES = 600


@dataclass(frozen=True)
class Looked:
    """Pictures of a clip.

    Attributes:
        images: uint8 [N, H, W, 3], RGB.
        times: seconds from the clip's start.
        numbers: index of each picture in the clip, from 0.
    """

    images: np.ndarray
    times: tuple[float, ...]
    numbers: tuple[int, ...]


def picture_times(path: Path, start: float | None = None, end: float | None = None) -> list[float]:
    """Times of a span's pictures, in seconds from its start, without decoding.

    Raises:
        MediaError: the file is missing or not a media file.
    """
    low, high = start or 0.0, end if end is not None else float("inf")
    return [time - low for time in picture_packets(path).within(low, high)]


def number_at(shown: list[float], time: float) -> int:
    """Index of the picture at `time`: the nearest of the sorted times `shown`."""
    right = bisect_left(shown, time)
    near = range(max(right - 1, 0), min(right + 1, len(shown)))
    return min(near, key=lambda i: abs(shown[i] - time), default=0)


def frames_wanted(seconds: float, per_second: float, shown: int) -> int:
    """Number of pictures to sample from a clip of this length with `shown` pictures."""
    return max(1, min(round(seconds * per_second), shown, MOST_FRAMES))


def peak_image(path: Path, time: float, view: Box | None = None, max_side: int = 480) -> np.ndarray:
    """The picture, or that part of it, shown at `time` seconds of the file, uint8 [H, W, 3] RGB.

    Raises:
        MediaError: it cannot be decoded.
    """
    clip = decode_clip(
        path, start=max(time - 1e-4, 0.0), end=time + 0.5, opening=True, max_side=max_side,
        want_audio=False, view=view,
    )  # fmt: skip
    assert clip.frames is not None, "a clip with a peak has pictures"
    return np.asarray(clip.frames.images[0])
