"""Face: expressions by mini-XCEPTION (Arriaga, Valdenegro-Toro and Plöger 2017) on MTCNN crops.

The network was trained on FER2013: grey faces of 64×64 pixels, seven classes, under 60,000
parameters. Its classes are named columns, so that they can be put into words; its averaged last
feature maps carry more information than the classes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from emollama.assets import fetch, weights_hash
from emollama.assets.convert import WEIGHTS
from emollama.base.errors import EmollamaError
from emollama.encoders.base import FeatureTrack
from emollama.encoders.crops import FaceFinder, spread
from emollama.manifest.channels import Channel
from emollama.media.clip import Clip
from emollama.media.faces import square_crops
from emollama.media.pooling import max_pool
from emollama.media.presence import LEAST_FACES

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""The network's seven outputs, in their order (FER2013)."""

_CODE = 1  # raised whenever the numbers change
_SIDE = 64  # pixels of a crop
_MARGIN = 0.1  # FER2013's faces are framed a little wider than MTCNN's boxes
_MAPS = 128


class FaceExpressions:
    """mini-XCEPTION on the faces that MTCNN finds; loaded when first used."""

    @property
    def weights(self) -> list[str]:
        """Hashes of both networks' weights."""
        return [weights_hash(fetch(name)) for name in ("mini-xception", "mtcnn")]

    @cached_property
    def _net(self) -> MiniXception:
        return MiniXception.from_asset()

    @cached_property
    def _finder(self) -> FaceFinder:
        return FaceFinder()

    def read(self, images: np.ndarray) -> tuple[np.ndarray, tuple[Tensor, Tensor] | None]:
        """Whether a face was found [N] in uint8 [N, H, W, 3], with logits [N, 7], maps [N, 128].

        A picture without a face takes a neighbour's face position. Where no picture has a face, the
        network does not run.
        """
        faces = self._finder.find(images)
        found = np.array([face is not None for face in faces])
        if not found.any():
            return found, None
        return found, self._net.look(square_crops(images, faces, _SIDE, _MARGIN))


class ExpressionEncoder:
    """Seven logits, seven probabilities, pooled maps and whether a face was found, per frame.

    A frame without a face uses the face position of a neighbouring frame, and its `face_found` is
    0. A clip with a face in too few frames (`LEAST_FACES`) has no face channel: its track is None.

    Args:
        frames: T, number of frames used.
    """

    channel: Channel = "face"
    finds_faces = True
    columns: tuple[str, ...] = (
        *(f"logit {name}" for name in CLASSES),
        *(f"probability {name}" for name in CLASSES),
        *(f"map {i}" for i in range(_MAPS)),
        "face found",
    )
    width = len(columns)

    def __init__(self, frames: int = 8) -> None:
        if not 1 <= frames <= 256:
            raise EmollamaError(f"encoder 'expression': frames must be 1 to 256, not {frames}")
        self.frames = frames
        self.key = f"expression+frames={frames}"
        self._faces = FaceExpressions()

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over code version, weights and options."""
        return hashlib.sha256(f"{_CODE}:{self.key}:{self._faces.weights}".encode()).hexdigest()

    def encode(self, clips: Sequence[Clip]) -> list[FeatureTrack | None]:
        """One track [frames, 143] per clip; None without frames, or with too few faces."""
        return [self._encode(clip) for clip in clips]

    def _encode(self, clip: Clip) -> FeatureTrack | None:
        if clip.frames is None or not len(clip.frames.images):
            return None
        images, times = spread(clip.frames, self.frames)
        found, read = self._faces.read(images)
        if read is None or found.mean() < LEAST_FACES:
            return None
        logits, maps = read
        seen = torch.from_numpy(found)[:, None].float()
        values = torch.cat([logits, logits.softmax(1), maps, seen], dim=1)
        return FeatureTrack(values.numpy().astype(np.float32), times.astype(np.float32))


class _Block(nn.Module):
    """Two separable convolutions and a pooled sum with a strided shortcut.

    Batch normalisation is folded into the pointwise weights. Padding follows TensorFlow's
    "same": at stride 2 an even side is padded on its far end only.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.depthwise1 = nn.Conv2d(before, before, 3, padding=1, groups=before, bias=False)
        self.pointwise1 = nn.Conv2d(before, after, 1)
        self.depthwise2 = nn.Conv2d(after, after, 3, padding=1, groups=after, bias=False)
        self.pointwise2 = nn.Conv2d(after, after, 1)
        self.skip = nn.Conv2d(before, after, 1, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.pointwise1(self.depthwise1(x)))
        y = self.pointwise2(self.depthwise2(y))
        if y.shape[-1] % 2:
            y = F.pad(y, (1, 0, 1, 0), value=float("-inf"))
        y = max_pool(y, 3)
        return y + self.skip(x)


class MiniXception(nn.Module):
    """mini-XCEPTION with the weights of asset "mini-xception"."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 8, 3)
        sizes = (8, 16, 32, 64, _MAPS)
        self.blocks = nn.Sequential(*(_Block(a, b) for a, b in pairwise(sizes)))
        self.head = nn.Conv2d(_MAPS, len(CLASSES), 3, padding=1)

    @classmethod
    def from_asset(cls) -> MiniXception:
        """The network in evaluation mode; its asset is fetched if needed."""
        net = cls()
        net.load_state_dict(load_file(fetch("mini-xception") / WEIGHTS))
        return net.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[N, 1, 64, 64] in −1..1 to logits [N, 7] and averaged maps [N, 128]."""
        x = F.relu(self.conv2(F.relu(self.conv1(x))))
        maps = self.blocks(x)
        return self.head(maps).mean((2, 3)), maps.mean((2, 3))

    @torch.inference_mode()
    def look(self, crops: np.ndarray) -> tuple[Tensor, Tensor]:
        """`forward` on uint8 RGB crops [N, 64, 64, 3]."""
        grey = crops.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
        return self(torch.from_numpy(grey)[:, None] / 127.5 - 1)
