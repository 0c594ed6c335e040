"""Picture: EVA's ViT-g as BLIP-2 and MiniGPT-v2 use it (Fang et al. 2023, Li et al. 2023).

The tower of released Emotion-LLaMA checkpoints: 448 pixels, patches of 14, 39 blocks of width 1408,
then a layer norm without scale and shift over all 1,025 tokens. A language model reads its patches
four at a time.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from emollama.base.errors import EmollamaError
from emollama.encoders.base import FeatureTrack
from emollama.encoders.compute import Compute
from emollama.encoders.full_size import FullSizeEncoder
from emollama.encoders.hidden_states import HiddenStates, load_hidden_states
from emollama.manifest.channels import Channel
from emollama.media.clip import Clip

MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
"""Normalisation of CLIP's pictures, which EVA was trained to match."""

_NORM_EPS = 1e-5  # of the norm behind the tower; the blocks' own is in config.json
_TOGETHER = 4  # consecutive patches of a row that are read as one
_REMEMBERED = 16  # pictures whose tokens are kept for the other part


class EvaEncoder(FullSizeEncoder):
    """Tokens of one frame: `patches` [256, 5632] or `class` [1, 1408]; their times are 0.

    Each of the 256 is four consecutive patches of a row side by side, in raster order.

    Args:
        name: "eva-vit-g".
        compute: device and number format.
        part: "patches" or "class".
        frame: "first" of the clip, as the released system was trained, or "middle".
    """

    channel: Channel = "face"
    frames = 1
    max_side = None
    code = 2

    def __init__(
        self,
        name: str = "eva-vit-g",
        compute: Compute | None = None,
        *,
        part: str = "patches",
        frame: str = "first",
    ) -> None:
        super().__init__(name, compute)
        self.key = f"{name}+part={part}+frame={frame}"
        if part not in ("patches", "class"):
            raise EmollamaError(f"encoder '{name}': part must be patches or class, not '{part}'")
        if frame not in ("first", "middle"):
            raise EmollamaError(f"encoder '{name}': frame must be first or middle, not '{frame}'")
        self._part = part
        self.opening = frame == "first"

    def model_class(self) -> Any:
        """The model's class in transformers."""
        from transformers import Blip2VisionModel

        return Blip2VisionModel

    @cached_property
    def width(self) -> int:
        """D: of four concatenated patches, or of the class token."""
        width = int(self.config.hidden_size)
        return width if self._part == "class" else _TOGETHER * width

    @cached_property
    def _tower(self) -> _Tower:
        return _tower(self.folder, self.compute)

    def encode(self, clips: Sequence[Clip]) -> list[FeatureTrack | None]:
        """One track per clip; None without frames."""
        return [self._encode(clip) for clip in clips]

    def _encode(self, clip: Clip) -> FeatureTrack | None:
        if clip.frames is None or not len(clip.frames.images):
            return None
        images = clip.frames.images
        tokens = self._tower.tokens(images[0 if self.opening else len(images) // 2])
        values = tokens[:1] if self._part == "class" else tokens[1:].reshape(-1, self.width)
        return FeatureTrack(values, np.zeros(len(values), np.float32))


class _Tower:
    """The model, with the tokens of recent pictures, so that both parts of a clip cost one pass."""

    def __init__(self, net: HiddenStates, side: int) -> None:
        self._net, self._side = net, side
        self._seen: OrderedDict[bytes, np.ndarray] = OrderedDict()

    def tokens(self, image: np.ndarray) -> np.ndarray:
        """uint8 RGB [H, W, 3] to float32 [1 + patches, width]."""
        name = hashlib.sha256(repr(image.shape).encode() + image.tobytes()).digest()
        if name not in self._seen:
            states = self._net.sum_of(
                [self._net.total], {"pixel_values": pixels(image, self._side)}
            )
            self._seen[name] = states[0].numpy()
            while len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        return self._seen[name]


@lru_cache(maxsize=1)
def _tower(folder: Path, compute: Compute) -> _Tower:
    """Shared by the encoders of both parts: the weights are 2 GB in float16."""
    from transformers import Blip2VisionConfig, Blip2VisionModel

    config: Any = Blip2VisionConfig.from_pretrained(folder, local_files_only=True)
    net = load_hidden_states(
        Blip2VisionModel, folder, config, config.num_hidden_layers, "encoder.layers", compute
    )
    net.model.post_layernorm.eps = _NORM_EPS
    return _Tower(net, config.image_size)


def pixels(image: np.ndarray, side: int) -> Tensor:
    """uint8 RGB [H, W, 3] to float32 [1, 3, side, side]: bicubic, ignoring the aspect ratio."""
    resized = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
    values = np.asarray(resized, np.float32) / 255
    scaled = (values - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
    return torch.from_numpy(scaled).permute(2, 0, 1)[None]
