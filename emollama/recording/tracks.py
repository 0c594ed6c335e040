"""Joins the faces found in the frames of a recording into tracks, one face through one shot.

From one searched frame to the next, every known face and every found one get a price: how far the
face would have jumped, and how different it would look. The cheapest assignment of all at once
wins (the Hungarian method), so two faces that cross do not swap as they would if each took the
nearest box. A face that is not found for up to a second (turned away, covered) is waited for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from emollama.recording.parts import FaceTrack
from emollama.recording.picture import PictureBlock
from emollama.recording.shots import change, cuts

GAP = 1.0
"""Seconds that a face may be missing within a track."""
SHORTEST = 0.6
"""Seconds; shorter tracks are dropped."""
CERTAIN = 0.9
"""Mean certainty of the detector from which a track is kept."""

_REACH, _FASTER = 0.6, 1.0  # face widths that a face may jump, at once and a second
_GROWTH = 1.6  # ratio of sizes
_LOOK = 0.17  # distance of appearance that is as bad as a jump to the edge of the reach
_LIMIT = 1.4  # a dearer pair is two faces
_LEARN = 0.1  # how fast a track's appearance follows its latest faces
_STEADY = 0.6  # how fast a track's motion follows its latest steps


def shot_changes(blocks: Sequence[PictureBlock]) -> np.ndarray:
    """Times of the cuts of a recording, float64 [K], also those between two blocks."""
    changes = []
    before: np.ndarray | None = None
    for block in blocks:
        values = block.changes.astype(np.float64)
        if len(values) and before is not None:
            values[0] = change(before, block.ends[0])
        if len(values):
            before = block.ends[1]
        changes.append(values)
    times = [block.times for block in blocks]
    return cuts(np.concatenate([np.zeros(0), *times]), np.concatenate([np.zeros(0), *changes]))


def face_tracks(blocks: Sequence[PictureBlock]) -> list[FaceTrack]:
    """Tracks of a recording, sorted by their beginning, then from left to right.

    Args:
        blocks: all blocks in order, with their appearance vectors.

    Raises:
        ValueError: a block has no appearance vectors (`picture.with_looks` measures them).
    """
    faces = _Faces(blocks)
    borders = shot_changes(blocks)
    shot = np.searchsorted(borders, faces.searched)
    done: list[_Open] = []
    active: list[_Open] = []
    previous = -1
    for time, number in zip(faces.searched.tolist(), shot.tolist(), strict=True):
        if number != previous:
            done, active, previous = done + active, [], number
        done += [track for track in active if time - track.last > GAP]
        active = [track for track in active if time - track.last <= GAP]
        here = faces.at(time)
        left = set(here)
        for track, face in _assigned(active, here, faces, time):
            track.add(face, faces, time)
            left.discard(face)
        active += [_Open.begin(face, faces, time) for face in sorted(left)]
    done += active
    tracks = [faces.track(one.faces, borders) for one in done]
    kept = [t for t in tracks if t.end - t.start >= SHORTEST and t.scores.mean() >= CERTAIN]
    return sorted(kept, key=lambda t: (t.start, t.boxes[0].tolist()))


class _Faces:
    """All faces of all blocks in one row."""

    def __init__(self, blocks: Sequence[PictureBlock]) -> None:
        if any(block.looks is None for block in blocks):
            raise ValueError("a stored block has no appearance vectors; measure them again first")
        seen = [b for b in blocks if len(b.times)]
        self.searched = _joined([b.times[b.searched] for b in seen], np.zeros(0))
        self.times = _joined([b.times[b.frames] for b in seen], np.zeros(0))
        self.boxes = _joined([b.boxes for b in seen], np.zeros((0, 4), np.float32))
        self.scores = _joined([b.scores for b in seen], np.zeros(0, np.float32))
        self.expressions = _joined([b.expressions for b in seen], np.zeros((0, 7), np.float32))
        self.looks = _joined([b.looks for b in seen if b.looks is not None], np.zeros((0, 1)))
        self.lip_times = _joined([b.times[b.lip_frames] for b in seen], np.zeros(0))
        self.lips = _joined([b.lips for b in seen], np.zeros(0, np.float32))
        first = np.cumsum([0, *(len(b.scores) for b in seen)])
        owners = [b.lip_faces + n for b, n in zip(seen, first[:-1], strict=True)]
        self.lip_faces = _joined(owners, np.zeros(0, np.int64))

    def at(self, time: float) -> list[int]:
        """Faces found in the frame of this time."""
        low, high = np.searchsorted(self.times, [time - 1e-6, time + 1e-6])
        return list(range(low, high))

    def track(self, own: list[int], borders: np.ndarray) -> FaceTrack:
        """The track of these faces; lips that were read across a cut are left out."""
        times = self.times[own]
        heard = np.flatnonzero(np.isin(self.lip_faces, own))
        heard = heard[np.argsort(self.lip_times[heard], kind="stable")]
        shot = np.searchsorted(borders, times[0])
        heard = heard[np.searchsorted(borders, self.lip_times[heard] - 0.08) == shot]
        heard = heard[np.diff(self.lip_times[heard], prepend=-np.inf) > 1e-6]
        return FaceTrack(
            times=times,
            boxes=self.boxes[own],
            scores=self.scores[own],
            expressions=self.expressions[own],
            lip_times=self.lip_times[heard],
            lips=self.lips[heard],
            appearance=np.median(self.looks[own], axis=0).astype(np.float32),
        )


def _joined(parts: Sequence[np.ndarray], nothing: np.ndarray) -> np.ndarray:
    return np.concatenate(parts) if parts else nothing


@dataclass
class _Open:
    """A track that may go on: where its face is, how it moves and looks."""

    faces: list[int]
    last: float
    box: np.ndarray
    look: np.ndarray
    speed: np.ndarray = field(default_factory=lambda: np.zeros(2))

    @classmethod
    def begin(cls, face: int, faces: _Faces, time: float) -> _Open:
        return cls([face], time, faces.boxes[face].astype(np.float64), faces.looks[face].copy())

    def add(self, face: int, faces: _Faces, time: float) -> None:
        box = faces.boxes[face].astype(np.float64)
        step = (_centre(box) - _centre(self.box)) / (time - self.last)
        self.speed = (1 - _STEADY) * self.speed + _STEADY * step
        rate = max(_LEARN, 1 / (len(self.faces) + 1))
        self.look = (1 - rate) * self.look + rate * faces.looks[face]
        self.box, self.last = box, time
        self.faces.append(face)


def _centre(box: np.ndarray) -> np.ndarray:
    return (box[..., :2] + box[..., 2:]) / 2


def _assigned(
    active: list[_Open], here: list[int], faces: _Faces, time: float
) -> list[tuple[_Open, int]]:
    """Tracks with the faces that go on with them."""
    if not active or not here:
        return []
    prices = np.array([_prices(track, here, faces, time) for track in active])
    rows, columns = linear_sum_assignment(np.minimum(prices, 100.0))
    good = prices[rows, columns] <= _LIMIT
    return [(active[i], here[j]) for i, j in zip(rows[good], columns[good], strict=True)]


def _prices(track: _Open, here: list[int], faces: _Faces, time: float) -> np.ndarray:
    """What it costs to say that a track goes on with each of these faces, [K]; inf if it cannot."""
    waited = time - track.last
    boxes = faces.boxes[here].astype(np.float64)
    size = track.box[2:] - track.box[:2]
    # A face that is waited for does not keep its speed for long.
    place = _centre(track.box) + track.speed * min(waited, 0.4)
    jump = np.hypot(*((_centre(boxes) - place) / size).T)
    growth = np.abs(np.log((boxes[:, 2:] - boxes[:, :2]) / size)).max(1)
    unlike = np.linalg.norm(faces.looks[here] - track.look, axis=1)
    price = jump / (_REACH + _FASTER * waited) + (unlike / _LOOK) ** 2
    impossible = (jump > _REACH + _FASTER * waited) | (growth > np.log(_GROWTH))
    return np.where(impossible, np.inf, price)
