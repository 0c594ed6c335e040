"""Face detection in each frame, and face crops.

The detector is MTCNN over a batch of equally large frames. A clip shows one speaker, so one face
per frame is chosen: the largest and most certain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from emollama.assets import fetch
from emollama.assets.convert import WEIGHTS
from emollama.media.mtcnn import Cascade

_SHRINK = 0.709  # from one pyramid level to the next: half the area, as in the paper
_THRESHOLDS = (0.6, 0.7, 0.7)  # face probability after P-Net, R-Net, O-Net
_CELL, _STRIDE = 12, 2  # P-Net's window and step in pixels


@dataclass(frozen=True)
class Face:
    """One face.

    Attributes:
        box: left, top, right, bottom in pixels of the frame; may reach over its edge.
        score: probability in 0..1.
        points: float32 [5, 2], x and y of left eye, right eye, nose, left and right corner of
            the mouth (left as seen in the picture).
    """

    box: tuple[float, float, float, float]
    score: float
    points: np.ndarray

    @property
    def area(self) -> float:
        """Area of the box, in square pixels."""
        left, top, right, bottom = self.box
        return max(right - left, 0.0) * max(bottom - top, 0.0)


class FaceDetector:
    """MTCNN (Zhang et al. 2016) over batches of frames; our own code with the published weights.

    Args:
        nets: the three networks with their weights.
        smallest: the smallest face searched for, as a share of the frame's shorter side.
        max_side: larger frames are scaled down to this many pixels before they are searched.
    """

    def __init__(self, nets: Cascade, smallest: float = 0.2, max_side: int = 224) -> None:
        self.nets = nets.eval().requires_grad_(False)
        self.smallest = smallest
        self.max_side = max_side

    @classmethod
    def from_asset(cls, smallest: float = 0.2, max_side: int = 224) -> FaceDetector:
        """The detector with the weights of asset "mtcnn", fetched if needed."""
        nets = Cascade()
        nets.load_state_dict(load_file(fetch("mtcnn") / WEIGHTS))
        return cls(nets, smallest, max_side)

    def detect(self, images: np.ndarray) -> list[Face | None]:
        """The face of each frame, or None; `images` is uint8 [N, H, W, 3] RGB."""
        found = self.detect_all(images)
        return [max(faces, key=prominence, default=None) for faces in found]

    @torch.inference_mode()
    def detect_all(self, images: np.ndarray) -> list[list[Face]]:
        """Every face of each frame."""
        count, height, width = images.shape[:3]
        if count == 0:
            return []
        scale = min(1.0, self.max_side / max(height, width))
        pixels = torch.tensor(images).permute(0, 3, 1, 2).contiguous()
        x = pixels.to(torch.float32).sub_(127.5).div_(128)
        if scale < 1:
            size = (max(1, round(height * scale)), max(1, round(width * scale)))
            x = F.interpolate(x, size, mode="area")
        boxes, frames = self._propose(x)
        boxes, frames = self._refine(x, boxes, frames)
        boxes, frames, scores, points = self._decide(x, boxes, frames)
        back = torch.tensor([width / x.shape[3], height / x.shape[2]])
        boxes, points = boxes * back.repeat(2), points * back
        faces: list[list[Face]] = [[] for _ in range(count)]
        for box, frame, score, marks in zip(
            boxes.tolist(), frames.tolist(), scores.tolist(), points.numpy(), strict=True
        ):
            left, top, right, bottom = box
            faces[frame].append(Face((left, top, right, bottom), score, marks))
        return faces

    def _propose(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """P-Net over the pyramid: boxes [K, 4] and the frame of each [K]."""
        short = min(x.shape[2:])
        scale = _CELL / max(self.smallest * short, _CELL)
        found: list[tuple[Tensor, Tensor, Tensor]] = []
        while short * scale >= _CELL:
            size = (round(x.shape[2] * scale), round(x.shape[3] * scale))
            level = x if scale == 1 else F.interpolate(x, size, mode="area")
            # Layouts chosen for speed; areas do not depend on them, convolutions may.
            chance, shift = self.nets.pnet(level.contiguous(memory_format=torch.channels_last))
            frame, row, column = torch.nonzero(chance > _THRESHOLDS[0], as_tuple=True)
            score = chance[frame, row, column]
            corner = torch.stack([column, row], 1).float() * _STRIDE
            cells = torch.cat([corner, corner + _CELL], 1) / scale
            moved = _move(cells, shift[frame, :, row, column])
            keep = _suppress(cells, score, frame, 0.5)
            found.append((moved[keep], score[keep], frame[keep]))
            scale *= _SHRINK
        if not found:
            return torch.zeros(0, 4), torch.zeros(0, dtype=torch.long)
        boxes, scores, frames = (torch.cat(parts) for parts in zip(*found, strict=True))
        keep = _suppress(boxes, scores, frames, 0.7)
        return _squared(boxes[keep]), frames[keep]

    def _refine(self, x: Tensor, boxes: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        if not len(boxes):
            return boxes, frames
        score, shift = self.nets.rnet(_cut(x, boxes, frames, 24))
        good = score > _THRESHOLDS[1]
        boxes, score, frames = _move(boxes[good], shift[good]), score[good], frames[good]
        keep = _suppress(boxes, score, frames, 0.7)
        return _squared(boxes[keep]), frames[keep]

    def _decide(
        self, x: Tensor, boxes: Tensor, frames: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        if not len(boxes):
            return boxes, frames, torch.zeros(0), torch.zeros(0, 5, 2)
        score, shift, marks = self.nets.onet(_cut(x, boxes, frames, 48))
        good = score > _THRESHOLDS[2]
        boxes, frames, score = boxes[good], frames[good], score[good]
        sides = (boxes[:, 2:] - boxes[:, :2])[:, None]
        points = boxes[:, None, :2] + sides * marks[good].view(-1, 2, 5).transpose(1, 2)
        boxes = _move(boxes, shift[good])
        keep = _suppress(boxes, score, frames, 0.7, smaller=True)
        return boxes[keep], frames[keep], score[keep], points[keep]


def prominence(face: Face) -> float:
    """Rank of a face; the speaker's is the highest in the frame."""
    # Certainty counts squared: a poster behind the speaker is often larger than it is certain.
    return face.area * face.score**2


def _move(boxes: Tensor, shift: Tensor) -> Tensor:
    """Corners moved by `shift`, in units of the box's sides."""
    sides = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    return boxes + shift * sides


def _squared(boxes: Tensor) -> Tensor:
    """Squares about the same centres with the longer side."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).amax(1, keepdim=True) / 2
    return torch.cat([centre - half, centre + half], 1)


def _suppress(
    boxes: Tensor, scores: Tensor, frames: Tensor, limit: float, smaller: bool = False
) -> Tensor:
    """Indices that survive non-maximum suppression within each frame, best first.

    Overlap is over the union, or over the smaller of two boxes where `smaller` is set.
    """
    count = len(boxes)
    if count < 2:
        return torch.arange(count)
    order = scores.argsort(descending=True, stable=True)
    boxes, frames = boxes[order], frames[order]
    low = torch.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = torch.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    common = (high - low).clamp(min=0).prod(2)
    area = (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(1)
    if smaller:
        whole = torch.minimum(area[:, None], area[None])
    else:
        whole = area[:, None] + area[None] - common
    clash = ((common > limit * whole) & (frames[:, None] == frames[None])).numpy()
    alive = np.ones(count, bool)
    for i in range(count):
        if alive[i]:
            alive[i + 1 :] &= ~clash[i, i + 1 :]
    return order[torch.from_numpy(np.flatnonzero(alive))]


def _cut(x: Tensor, boxes: Tensor, frames: Tensor, size: int) -> Tensor:
    """Crops [K, 3, size, size] of squares; pixels outside the frame are black.

    Each crop is averaged from about twice as many sample points as it has pixels, so that a
    large face is not read at scattered single pixels.
    """
    fine = 2 * size
    steps = (torch.arange(fine) + 0.5) / fine
    sides = boxes[:, 2:] - boxes[:, :2]
    crops = x.new_empty(len(boxes), 3, size, size)
    height, width = x.shape[2:]
    for frame in frames.unique().tolist():
        own = torch.nonzero(frames == frame).flatten()
        places = boxes[own, None, :2] + sides[own, None] * steps[None, :, None]
        across = places[..., 0] * 2 / width - 1
        down = places[..., 1] * 2 / height - 1
        grid = torch.stack(torch.broadcast_tensors(across[:, None, :], down[:, :, None]), dim=-1)
        # Black is −1 after scaling: shift so that the padding's zero means black.
        image = (x[frame : frame + 1] + 1).expand(len(own), -1, -1, -1)
        fine_crops = F.grid_sample(image, grid, align_corners=False) - 1
        crops[own] = F.avg_pool2d(fine_crops, 2)
    return crops


def square_crops(
    images: np.ndarray, faces: Sequence[Face | None], size: int, margin: float = 0.0
) -> np.ndarray:
    """Square crops around each frame's face, uint8 [N, size, size, 3].

    A frame without a face takes the box of the nearest frame that has one; where no frame has
    one, its centre square is taken. Pixels outside a frame repeat its edge.

    Args:
        images: uint8 [N, H, W, 3].
        faces: one per frame, as `FaceDetector.detect` returns them.
        size: side of a crop in pixels.
        margin: added on each side, as a share of the face's longer side.
    """
    known = [i for i, face in enumerate(faces) if face is not None]
    crops = np.empty((len(images), size, size, 3), np.uint8)
    for i, image in enumerate(images):
        height, width = image.shape[:2]
        if known:
            face = faces[min(known, key=lambda k: abs(k - i))]
            assert face is not None
            left, top, right, bottom = face.box
        else:
            side = min(height, width)
            left, top = (width - side) / 2, (height - side) / 2
            right, bottom = left + side, top + side
        half = max(right - left, bottom - top) * (0.5 + (margin if known else 0.0))
        half = max(half, 1.0)
        x, y = (left + right) / 2, (top + bottom) / 2
        crops[i] = _square(image, x - half, y - half, 2 * half, size)
    return crops


def _square(image: np.ndarray, left: float, top: float, side: float, size: int) -> np.ndarray:
    height, width = image.shape[:2]
    x, y = int(np.floor(left)), int(np.floor(top))
    far_x, far_y = int(np.ceil(left + side)), int(np.ceil(top + side))
    if min(x, y) >= 0 and far_x <= width and far_y <= height:
        cut = image[y:far_y, x:far_x]
    else:
        columns = np.clip(np.arange(x, far_x), 0, width - 1)
        rows = np.clip(np.arange(y, far_y), 0, height - 1)
        cut = image[rows][:, columns]
    patch = Image.fromarray(cut)
    box = (left - x, top - y, left - x + side, top - y + side)
    resized = patch.resize((size, size), Image.Resampling.BILINEAR, box=box)
    return np.asarray(resized)
