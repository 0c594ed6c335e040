"""A part of a picture: the box that a sample names, cut out of every frame."""

from __future__ import annotations

import numpy as np

Box = tuple[float, float, float, float]
"""Left, top, right, bottom as shares of the upright picture's width and height."""


def cut_to(image: np.ndarray, view: Box | None) -> np.ndarray:
    """The part of an upright picture [H, W, ...] inside a box, at least one pixel; None for all."""
    if view is None:
        return image
    height, width = image.shape[:2]
    left, right = _edges(view[0], view[2], width)
    top, bottom = _edges(view[1], view[3], height)
    return np.ascontiguousarray(image[top:bottom, left:right])


def scale_within(width: float, height: float, max_side: int | None, view: Box | None) -> float:
    """By what to scale an upright picture so that what is cut out of it fits `max_side`; at most 1.

    `max_side` None keeps every pixel.
    """
    if max_side is None:
        return 1.0
    left, top, right, bottom = view or (0.0, 0.0, 1.0, 1.0)
    return min(1.0, max_side / max(width * (right - left), height * (bottom - top)))


def _edges(low: float, high: float, pixels: int) -> tuple[int, int]:
    first = min(round(low * pixels), pixels - 1)
    return first, max(round(high * pixels), first + 1)
