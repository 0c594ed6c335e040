"""A small picture of each person's face, blurred unless faces are to be shown."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from emollama.base.errors import EmollamaError
from emollama.media.cutting import Box
from emollama.media.decode import decode_clip
from emollama.recording.parts import FACE_RATE, Analysis, Person

SIDE = 96
"""Pixels of a thumbnail's side."""
BLURRED = 6
"""Colours a side that are left of a blurred face: 36 in all, too few to tell who it is."""

_MARGIN = 1.3  # side of the picture by the larger side of the face's box


def thumbnails(analysis: Analysis, show_faces: bool) -> dict[str, bytes]:
    """PNG files by person, of those whose face is found and can be decoded again.

    The picture itself is blurred: only `BLURRED` x `BLURRED` mean colours of it are kept.
    """
    found = {}
    for person in analysis.people:
        face = _face(person, analysis)
        if face is not None:
            found[person.name] = _png(face if show_faces else blurred(face))
    return found


def blurred(face: np.ndarray) -> np.ndarray:
    """A picture [H, W, 3] of the means of its `BLURRED` x `BLURRED` parts, smoothed."""
    small = Image.fromarray(face).resize((BLURRED, BLURRED), Image.Resampling.BOX)
    return np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def _face(person: Person, analysis: Analysis) -> np.ndarray | None:
    """The largest certain face of a person, [H, W, 3]."""
    if not person.tracks or analysis.size is None:
        return None
    times = np.concatenate([track.times for track in person.tracks])
    boxes = np.concatenate([track.boxes for track in person.tracks])
    scores = np.concatenate([track.scores for track in person.tracks])
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    best = int(np.argmax(scores * areas))
    start = float(times[best])
    try:
        clip = decode_clip(
            analysis.recording, start=start, end=start + 1 / FACE_RATE, opening=True,
            want_audio=False, view=_around(boxes[best], analysis.size),
        )  # fmt: skip
    except EmollamaError:
        return None
    return None if clip.frames is None or not len(clip.frames.images) else clip.frames.images[0]


def _around(box: np.ndarray, size: tuple[int, int]) -> Box:
    """A square around a face's box, as far as the picture reaches."""
    width, height = size
    left, top, right, bottom = (float(side) for side in box)
    half = _MARGIN / 2 * max((right - left) * width, (bottom - top) * height)
    x, y = (left + right) / 2 * width, (top + bottom) / 2 * height
    return (
        max(0.0, (x - half) / width), max(0.0, (y - half) / height),
        min(1.0, (x + half) / width), min(1.0, (y + half) / height),
    )  # fmt: skip


def _png(face: np.ndarray) -> bytes:
    picture = Image.fromarray(face)
    picture.thumbnail((SIDE, SIDE))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()
