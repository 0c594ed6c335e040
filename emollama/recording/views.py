"""The part of the picture around a person's face: one box that is steady over a segment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emollama.media.speech import Span
from emollama.recording.parts import Box, Person

_SIDES, _ABOVE, _BELOW = 0.4, 0.5, 0.35  # of the face's size: ears, hair and chin
_OUTLIERS = 5  # per cent of the frames in which an edge may lie further out


@dataclass(frozen=True)
class Faces:
    """All of a person's faces: times float64 [N], sorted, and boxes [N, 4]."""

    times: np.ndarray
    boxes: np.ndarray

    @classmethod
    def of(cls, person: Person) -> Faces:
        """Those of their tracks."""
        if not person.tracks:
            return cls(np.zeros(0), np.zeros((0, 4), np.float32))
        times = np.concatenate([track.times for track in person.tracks])
        order = np.argsort(times, kind="stable")
        return cls(times[order], np.concatenate([t.boxes for t in person.tracks])[order])

    @classmethod
    def still(cls, boxes: Sequence[Box]) -> Faces:
        """Those of one moment, 0 s: of a person, or of one who is seen twice."""
        return cls(np.zeros(len(boxes)), np.array(boxes, np.float32))

    def within(self, span: Span) -> np.ndarray:
        """Boxes [N, 4] of the frames in a span."""
        low, high = np.searchsorted(self.times, (span.start, span.end))
        return self.boxes[low:high]


def view_of(faces: Faces, others: Sequence[Faces], span: Span) -> tuple[Box | None, int]:
    """The view of a person over a span, and the number of frames in which their face is found.

    The box holds the face wherever it is in 95 % of the frames (by edge), and beside it two fifths
    of its width, half of its height above and a third below, clipped to the picture. Of the margin
    that is given up which shows the face of somebody else; where faces cross it cannot be. None
    where the face is not seen in the span.
    """
    boxes = faces.within(span)
    if not len(boxes):
        return None, 0
    face = _around(boxes)
    width, height = (float(side) for side in np.median(boxes[:, 2:] - boxes[:, :2], axis=0))
    view = [face[0] - _SIDES * width, face[1] - _ABOVE * height,
            face[2] + _SIDES * width, face[3] + _BELOW * height]  # fmt: skip
    for other in others:
        theirs = other.within(span)
        if len(theirs):
            _give_way(view, face, _around(theirs))
    left, top, right, bottom = (min(1.0, max(0.0, edge)) for edge in view)
    return (round(left, 4), round(top, 4), round(right, 4), round(bottom, 4)), len(boxes)


def _around(boxes: np.ndarray) -> list[float]:
    low = np.percentile(boxes[:, :2], _OUTLIERS, axis=0)
    high = np.percentile(boxes[:, 2:], 100 - _OUTLIERS, axis=0)
    return [float(edge) for edge in (*low, *high)]


def _give_way(view: list[float], face: Sequence[float], other: Sequence[float]) -> None:
    """Draw in the edge of a view that another face is beyond, where that keeps most of the view."""
    overlap = all(view[i] < other[i + 2] and other[i] < view[i + 2] for i in (0, 1))
    if not overlap:
        return
    ways = [
        (other[axis] - view[axis], axis + 2, other[axis])
        for axis in (0, 1)
        if other[axis] >= face[axis + 2]
    ] + [
        (view[axis + 2] - other[axis + 2], axis, other[axis + 2])
        for axis in (0, 1)
        if other[axis + 2] <= face[axis]
    ]
    if ways:
        _, edge, place = max(ways)
        view[edge] = place
