"""Reads the picture of one block of a recording: cuts, faces, expressions and lip motion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any, cast

import numpy as np
import torch
from PIL import Image
from scipy.optimize import linear_sum_assignment

from emollama.encoders.expression import CLASSES, MiniXception
from emollama.media.clip import Frames
from emollama.media.faces import Face, FaceDetector, square_crops
from emollama.recording.appearance import WIDTH, appearance
from emollama.recording.lips import lip_motion
from emollama.recording.parts import FACE_RATE
from emollama.recording.shots import THUMB, change, thumbnail

SMALLEST, SEARCHED = 0.12, 360
"""Smallest face as a share of the shorter side, and pixels that a picture is scaled down to."""

_BATCH = 8  # frames searched at once
_CROP, _MARGIN = 64, 0.1  # of a face whose expression is read, as `encoders.expression` does
_SAME_PLACE = 0.3  # overlap of a face with itself a fifth of a second later


@dataclass(frozen=True)
class PictureTools:
    """The two networks that read a picture."""

    detector: FaceDetector
    expressions: MiniXception

    @classmethod
    def from_assets(cls) -> PictureTools:
        """With the weights of assets "mtcnn" and "mini-xception", fetched if needed."""
        found = cls(FaceDetector.from_asset(SMALLEST, SEARCHED), MiniXception.from_asset())
        # The channels of a pixel side by side: a quarter of the time less, boxes the same to
        # 0.0001 pixels.
        for net in (found.detector.nets, found.expressions):
            cast(Any, net).to(memory_format=torch.channels_last)  # torch's types leave it out
        return found


@dataclass(frozen=True)
class PictureBlock:
    """What is seen in one block: F frames, D faces found in some of them, M moments of lips.

    Times are seconds from the recording's beginning; boxes and points are shares of the picture.

    Attributes:
        times: float64 [F].
        changes: float32 [F], `shots.change` against the frame before; NaN for the first.
        ends: uint8 [2, 36, 64, 3], thumbnails of the first and last frame, for a cut between two
            blocks; [0, 36, 64, 3] without frames.
        searched: bool [F], whether faces were looked for.
        frames: int32 [D], index into `times`; sorted.
        boxes: float32 [D, 4].
        scores: float32 [D], the detector's certainty.
        points: float32 [D, 5, 2]: eyes, nose, corners of the mouth.
        expressions: float32 [D, 7], probabilities of `mini-xception`'s classes.
        lip_frames: int32 [M], index into `times`.
        lip_faces: int32 [M], index of the detection that the mouth belongs to.
        lips: float32 [M], motion since the frame before; NaN where unknown.
        looks: float32 [D, K], appearance vectors. Personal: never part of `to_arrays`; None in a
            block that was stored.
    """

    times: np.ndarray
    changes: np.ndarray
    ends: np.ndarray
    searched: np.ndarray
    frames: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    points: np.ndarray
    expressions: np.ndarray
    lip_frames: np.ndarray
    lip_faces: np.ndarray
    lips: np.ndarray
    looks: np.ndarray | None

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Everything that may be written to a work folder: all but the personal vectors."""
        return {name: getattr(self, name) for name in _STORED}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> PictureBlock:
        """A block as `to_arrays` gave it, without vectors.

        Raises:
            KeyError: an array is missing.
        """
        return cls(**{name: np.asarray(arrays[name]) for name in _STORED}, looks=None)


_STORED = tuple(field.name for field in fields(PictureBlock) if field.name != "looks")


def read_picture(frames: Frames, start: float, tools: PictureTools) -> PictureBlock:
    """Read a block of at most about 30 s.

    Args:
        frames: about `LIP_RATE` a second, at any size; `times` are seconds from `start`. A frame
            that is repeated (a slow film) is read once.
        start: seconds of the block's beginning in the recording.
        tools: the networks.
    """
    kept = _once(frames)
    images, times = _views(frames, kept), frames.times[kept] + start
    thumbs = [thumbnail(image) for image in images]
    changes = [np.nan, *(change(a, b) for a, b in pairwise(thumbs))]
    ends = [thumbs[0], thumbs[-1]] if thumbs else np.zeros((0, *THUMB[::-1], 3))
    searched = _searched(times)
    found = _faces(images, searched, tools.detector)
    size = _width_and_height(images)
    faces = [face for _, here in found for face in here]
    at = [frame for frame, here in found for _ in here]
    lip_frames, lip_faces, lips = _lips(images, found)
    block = PictureBlock(
        times=times.astype(np.float64),
        changes=np.array(changes[: len(times)], np.float32),
        ends=np.array(ends, np.uint8),
        searched=searched,
        frames=np.array(at, np.int32),
        boxes=np.array([f.box for f in faces], np.float32).reshape(-1, 4) / np.tile(size, 2),
        scores=np.array([f.score for f in faces], np.float32),
        points=np.array([f.points for f in faces], np.float32).reshape(-1, 5, 2) / size,
        expressions=_expressions(images, found, tools.expressions),
        lip_frames=lip_frames,
        lip_faces=lip_faces,
        lips=lips,
        looks=None,
    )
    return replace(block, looks=_looks(images, block))


def with_looks(block: PictureBlock, frames: Frames) -> PictureBlock:
    """A stored block with its appearance vectors measured again from the same `frames`.

    They are the same to the last bit: `read_picture` too measures where the stored boxes are.
    """
    return replace(block, looks=_looks(_views(frames, _once(frames)), block))


def _looks(images: _Images, block: PictureBlock) -> np.ndarray:
    """Appearance vectors float32 [D, K]."""
    size = _width_and_height(images)
    boxes, points = block.boxes * np.tile(size, 2), block.points * size
    parts = [np.zeros((0, WIDTH), np.float32)]
    for frame in np.unique(block.frames).tolist():
        faces = []
        for i in np.flatnonzero(block.frames == frame).tolist():
            left, top, right, bottom = boxes[i].tolist()
            faces.append(Face((left, top, right, bottom), float(block.scores[i]), points[i]))
        parts.append(appearance(images[frame], faces))
    return np.concatenate(parts)


_Images = list[np.ndarray]


def _once(frames: Frames) -> np.ndarray:
    """Indices of the frames that are not shown already: a slow film repeats some."""
    return np.flatnonzero(np.diff(frames.times, prepend=-np.inf) > 1e-6)


def _views(frames: Frames, kept: np.ndarray) -> _Images:
    """Those frames without copying them, which would be a quarter of a gigabyte."""
    return [frames.images[i] for i in kept.tolist()]


def _width_and_height(images: _Images) -> np.ndarray:
    """Of the pictures in pixels, float32 [2]; ones where there are none."""
    return np.array(images[0].shape[1::-1] if images else (1, 1), np.float32)


_Found = list[tuple[int, list[Face]]]


def _searched(times: np.ndarray) -> np.ndarray:
    """Which frames faces are looked for in, bool [F]: the first of every fifth of a second."""
    fifths = np.floor(times * FACE_RATE + 1e-3)
    return np.diff(fifths, prepend=-np.inf) > 0


def _faces(images: _Images, searched: np.ndarray, detector: FaceDetector) -> _Found:
    """Faces of each searched frame, from left to right, in pixels of `images`."""
    width, height = _width_and_height(images).tolist()
    scale = min(1.0, detector.max_side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    back = np.array([width / size[0], height / size[1]])
    at = np.flatnonzero(searched)
    found: _Found = []
    for first in range(0, len(at), _BATCH):
        batch = at[first : first + _BATCH]
        # Scaled down here: Pillow takes a twentieth of the detector's own time for it.
        small = np.stack([images[i] if scale == 1 else _reduced(images[i], size) for i in batch])
        for frame, faces in zip(batch.tolist(), detector.detect_all(small), strict=True):
            placed = [_placed(face, back) for face in faces]
            found.append((frame, sorted(placed, key=lambda face: face.box)))
    return found


def _reduced(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def _placed(face: Face, back: np.ndarray) -> Face:
    left, top, right, bottom = (np.array(face.box) * np.tile(back, 2)).tolist()
    points = (face.points * back).astype(np.float32)
    return Face((left, top, right, bottom), face.score, points)


def _expressions(images: _Images, found: _Found, net: MiniXception) -> np.ndarray:
    """Probabilities float32 [D, 7]."""
    crops = [
        square_crops(np.broadcast_to(image, (len(faces), *image.shape)), faces, _CROP, _MARGIN)
        for image, faces in ((images[frame], faces) for frame, faces in found if faces)
    ]
    if not crops:
        return np.zeros((0, len(CLASSES)), np.float32)
    joined = np.concatenate(crops)
    parts = [net.look(joined[i : i + 64])[0].softmax(1).numpy() for i in range(0, len(joined), 64)]
    return np.concatenate(parts).astype(np.float32)


def _lips(images: _Images, found: _Found) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames, detections and motions of all mouths that are seen in two frames in turn.

    Between two searched frames a face's points are interpolated; behind the last one they stay.
    """
    moments: list[tuple[int, int, float]] = []
    number = 0
    for i, (frame, faces) in enumerate(found):
        behind = number + len(faces)
        following, later = found[i + 1] if i + 1 < len(found) else (len(images) - 1, faces)
        pairs = links([f.box for f in faces], [f.box for f in later])
        for step in range(frame + 1, following + 1) if pairs else ():
            span = following - frame
            parts = [(step - 1 - frame) / span, (step - frame) / span]
            old = np.stack([faces[a].points for a, _ in pairs])
            new = np.stack([later[b].points for _, b in pairs])
            before, after = (old * (1 - part) + new * part for part in parts)
            motion = lip_motion(images[step - 1], images[step], before, after)
            # A mouth belongs to the nearer of the two detections that it was placed by.
            last = i + 1 == len(found) or parts[1] < 0.5
            for (a, b), value in zip(pairs, motion.tolist(), strict=True):
                moments.append((step, number + a if last else behind + b, value))
        number = behind
    table = np.array(moments, np.float64).reshape(-1, 3)
    return (
        table[:, 0].astype(np.int32),
        table[:, 1].astype(np.int32),
        table[:, 2].astype(np.float32),
    )


def links(
    here: list[tuple[float, float, float, float]], there: list[tuple[float, float, float, float]]
) -> list[tuple[int, int]]:
    """Pairs of boxes of two frames that overlap most, each box in one pair at most."""
    if not here or not there:
        return []
    shared = overlap(np.array(here), np.array(there))
    rows, columns = linear_sum_assignment(-shared)
    good = shared[rows, columns] >= _SAME_PLACE
    return list(zip(rows[good].tolist(), columns[good].tolist(), strict=True))


def overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes [K, 4] and [L, 4], as [K, L]."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(2)
    areas = [np.clip(x[:, 2:] - x[:, :2], 0, None).prod(1) for x in (a, b)]
    return common / np.maximum(areas[0][:, None] + areas[1][None] - common, 1e-12)
