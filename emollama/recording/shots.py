"""Shot changes: how much the picture changes from frame to frame, and where that means a cut.

The measure and the rule are those of PySceneDetect's content and adaptive detectors (Castellano,
https://www.scenedetect.com): the mean change of hue, saturation and brightness of all pixels, and a
cut where it stands out from the changes around it. A moving camera changes every frame and cuts
none.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

THUMB = (64, 36)
"""Width and height that a picture is scaled to before it is compared."""

_LEAST = 8.0  # mean change of a cut, of 255; two people before the same wall differ by 9
_TIMES = 3.0  # a cut changes this many times as much as the frames around it
_AROUND = 2  # frames on either side that it is compared with


def thumbnail(image: np.ndarray) -> np.ndarray:
    """A small picture in hue, saturation and brightness, uint8 [36, 64, 3], of uint8 [H, W, 3]."""
    small = Image.fromarray(image).resize(THUMB, Image.Resampling.BOX)
    return np.asarray(small.convert("HSV"))


def change(before: np.ndarray, after: np.ndarray) -> float:
    """How much two thumbnails differ, 0..255: the mean over hue, saturation and brightness."""
    apart = np.abs(before.astype(np.int16) - after.astype(np.int16))
    apart[..., 0] = np.minimum(apart[..., 0], 256 - apart[..., 0])  # hue goes round in a circle
    return float(apart.mean())


def cuts(times: np.ndarray, changes: np.ndarray) -> np.ndarray:
    """Times of the shot changes, half-way between the two frames that differ.

    Args:
        times: float64 [N] seconds of the frames.
        changes: float [N], of each frame against the one before; NaN or 0 for the first.

    Returns:
        float64 [K], sorted.
    """
    if len(times) < 2:
        return np.zeros(0)
    known = np.nan_to_num(np.asarray(changes, np.float64))
    padded = np.pad(known, _AROUND)
    counted = np.pad(np.isfinite(changes).astype(np.float64), _AROUND)
    total, number = np.zeros(len(known)), np.zeros(len(known))
    for step in range(2 * _AROUND + 1):
        if step != _AROUND:
            total += padded[step : step + len(known)]
            number += counted[step : step + len(known)]
    around = total / np.maximum(number, 1)
    found = np.flatnonzero((known >= _LEAST) & (known >= _TIMES * around))
    found = found[found > 0]
    return (times[found - 1] + times[found]) / 2
