"""How much a mouth moves from one frame to the next.

Two mouths are cut out by the detector's points, upright and equally large, so that a head which
turns or comes nearer does not count; then shifted against each other until they fit best, since the
points tremble; and each is brought to mean 0 and spread 1, so that light does not count. What still
differs is motion of the lips; the same measure of the nose, which hardly moves by itself, is taken
off as noise.
"""

from __future__ import annotations

import numpy as np

_WIDTH, _HEIGHT = 32, 24  # pixels of a mouth
_SHIFT = 3  # pixels that two mouths are moved against each other to fit
_FLAT = 3.0  # spread of grey values below which nothing can be seen
_LOWER, _NOSE = 0.12, 0.4  # crops' centres below mouth and eyes, in units between the two
_SPREAD = 1.7  # width of the crop, in units between eyes and mouth


def lip_motion(
    before: np.ndarray, after: np.ndarray, points: np.ndarray, later: np.ndarray
) -> np.ndarray:
    """Motion of K mouths between two frames, float32 [K]; NaN where the mouth is not seen.

    Args:
        before: uint8 [H, W, 3].
        after: uint8 [H, W, 3].
        points: float [K, 5, 2], the faces' points in pixels of `before`.
        later: float [K, 5, 2], in pixels of `after`.
    """
    found = np.full(len(points), np.nan, np.float32)
    for i, (here, there) in enumerate(zip(points, later, strict=True)):
        mouth = _unlike(_cut(before, here, True), _cut(after, there, True))
        still = _unlike(_cut(before, here, False), _cut(after, there, False))
        found[i] = mouth - 0.5 * still
    return found


def _cut(image: np.ndarray, points: np.ndarray, mouth: bool) -> np.ndarray | None:
    """Grey crop [24 + 2 s, 32 + 2 s] of the mouth or the nose; None outside the picture."""
    eyes, lips = points[:2].mean(0), points[3:].mean(0)
    down = lips - eyes
    centre = lips + down * _LOWER if mouth else eyes + down * _NOSE
    length = float(np.hypot(*down))
    if length < 4:
        return None
    step = length * _SPREAD / _WIDTH
    unit = down / length
    right = np.array([unit[1], -unit[0]])
    if right @ (points[1] - points[0] + points[4] - points[3]) < 0:
        right = -right
    wide, high = _WIDTH + 2 * _SHIFT, _HEIGHT + 2 * _SHIFT
    across = (np.arange(wide) - (wide - 1) / 2) * step
    along = (np.arange(high) - (high - 1) / 2) * step
    x = centre[0] + across[None] * right[0] + along[:, None] * unit[0]
    y = centre[1] + across[None] * right[1] + along[:, None] * unit[1]
    height, width = image.shape[:2]
    if not (0 <= centre[0] < width and 0 <= centre[1] < height):
        return None
    left, top = max(int(x.min()), 0), max(int(y.min()), 0)
    patch = image[top : int(y.max()) + 3, left : int(x.max()) + 3]
    if min(patch.shape[:2]) < 2:
        return None
    grey = patch @ np.array([0.299, 0.587, 0.114], np.float32)
    x, y = np.clip(x - left, 0, grey.shape[1] - 1.001), np.clip(y - top, 0, grey.shape[0] - 1.001)
    column, row = x.astype(int), y.astype(int)
    x, y = x - column, y - row
    upper = grey[row, column] * (1 - x) + grey[row, column + 1] * x
    lower = grey[row + 1, column] * (1 - x) + grey[row + 1, column + 1] * x
    return np.asarray(upper * (1 - y) + lower * y, np.float32)


def _unlike(before: np.ndarray | None, after: np.ndarray | None) -> float:
    """How much two crops differ where they fit best, in units of their spread; NaN if unknown."""
    if before is None or after is None:
        return np.nan
    spread = max(float(before.std()), float(after.std()))
    if spread < _FLAT:
        return np.nan
    first = (before - before.mean()) / spread
    second = (after - after.mean()) / spread
    middle = first[_SHIFT:-_SHIFT, _SHIFT:-_SHIFT]
    views = np.lib.stride_tricks.sliding_window_view(second, middle.shape)
    return float(np.abs(views - middle).mean((2, 3)).min())
