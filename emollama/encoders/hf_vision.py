"""Face: full-size image and video models over face crops or whole frames.

CLIP (Radford et al. 2021), masked autoencoders (He et al. 2022) and DINOv2 (Oquab et al. 2023) see
one frame at a time; VideoMAE (Tong et al. 2022) sees 16 together. Images are prepared by
transformers' own processors, from the folder's preprocessor_config.json or with the published
values. The masked autoencoder runs without masking and with its patches in raster order.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from emollama.assets import fetch, weights_hash
from emollama.assets.folders import folder_hash
from emollama.base.errors import EmollamaError, require_known
from emollama.encoders.base import FeatureTrack
from emollama.encoders.compute import Compute
from emollama.encoders.crops import FaceFinder, spread
from emollama.encoders.full_size import FullSizeEncoder
from emollama.encoders.hidden_states import HiddenStates, load_hidden_states
from emollama.manifest.channels import Channel
from emollama.media.clip import Clip, Frames
from emollama.media.faces import square_crops
from emollama.media.presence import enough_faces

_IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
_LARGEST = 1920  # pixels of a whole frame: the processor, and nothing before it, makes it small
_MARGIN = 0.1  # around MTCNN's box, as for the expression encoder
_TOKENS = ("mean", "class", "sum", "projected")
_BLOCKS = {
    "clip": "encoder.layers", "vit_mae": "layers", "dinov2": "encoder.layer",
    "videomae": "encoder.layer",
}  # fmt: skip


class _PictureEncoder(FullSizeEncoder):
    """Shared by image and video models: crops, processors and the choice of frames."""

    channel: Channel = "face"

    def __init__(
        self, name: str, compute: Compute | None, *, crop: str, more: str = "", **options: Any
    ) -> None:
        super().__init__(name, compute, more=f"+crop={crop}{more}", **options)
        if crop not in ("face", "frame"):
            raise EmollamaError(f"encoder '{name}': crop must be face or frame, not '{crop}'")
        self._crop = crop
        self.finds_faces = crop == "face"
        if crop == "frame":
            self.max_side, self.code = _LARGEST, 2

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over code version, weights (the face detector's too), options and format."""
        facts = [weights_hash(fetch("mtcnn"))] if self._crop == "face" else []
        return self._fingerprint(folder_hash(self.folder), *facts)

    @property
    @abstractmethod
    def _count(self) -> int:
        """Number of pictures per clip."""

    @cached_property
    def _finder(self) -> FaceFinder:
        return FaceFinder()

    def model_class(self) -> Any:
        """transformers' class of the model."""
        from transformers import CLIPVisionModel, Dinov2Model, VideoMAEModel, ViTMAEModel

        return {
            "clip": CLIPVisionModel, "vit_mae": ViTMAEModel, "dinov2": Dinov2Model,
            "videomae": VideoMAEModel,
        }[self.model.kind]  # fmt: skip

    @property
    def _blocks(self) -> str:
        """Where the stack of blocks is in the model."""
        return _BLOCKS[self.model.kind]

    @cached_property
    def _net(self) -> HiddenStates:
        config = type(self.config).from_dict(self.config.to_dict())
        if self.model.kind == "vit_mae":
            config.mask_ratio = 0.0
        last = max(self.readout.layers(config.num_hidden_layers))
        return load_hidden_states(
            self.model_class(), self.folder, config, last, self._blocks, self.compute
        )

    @cached_property
    def processor(self) -> Any:
        """transformers' image processor (the one that needs PIL and no torchvision)."""
        kind, side = self.model.kind, self.config.image_size
        processor_class, published = _processors(kind, side)
        blank = np.zeros((1, 40, 50, 3), np.uint8)
        try:
            if (self.folder / "preprocessor_config.json").is_file():
                processor = processor_class.from_pretrained(self.folder, local_files_only=True)
            else:
                processor = processor_class(**published)
            height, width = self._prepared(processor, blank).shape[-2:]
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise EmollamaError(
                f"{self.folder}/preprocessor_config.json: cannot be used: {reason}"
            ) from error
        # DINOv2 fits its positions to any picture; the others have a fixed number of patches.
        if height != width or (kind != "dinov2" and height != side):
            raise EmollamaError(
                f"{self.folder}/preprocessor_config.json: makes pictures of "
                f"{height}x{width}, but image_size in config.json is {side}"
            )
        return processor

    def _prepared(self, processor: Any, images: np.ndarray) -> Tensor:
        """uint8 [N, H, W, 3] to the model's input, float32 [N, 3, side, side]."""
        made = processor(list(images), return_tensors="pt", input_data_format="channels_last")
        pixels = torch.as_tensor(made["pixel_values"]).float()
        return pixels.view(len(images), *pixels.shape[-3:])

    def pictures(self, frames: Frames) -> tuple[Tensor, np.ndarray] | None:
        """Prepared crops [N, 3, side, side] and their times; None with too few faces."""
        images, times = spread(frames, self._count)
        if self._crop == "face":
            faces = self._finder.find(images)
            if not enough_faces(faces):
                return None
            # A crop is cut at the size that the processor resizes to: what it does next (a centre
            # crop, mean and deviation) is as for any picture.
            size = self.processor.size
            images = square_crops(images, faces, size.shortest_edge or size.height, _MARGIN)
        return self._prepared(self.processor, images), times

    def encode(self, clips: Sequence[Clip]) -> list[FeatureTrack | None]:
        """One track per clip; None without frames, or with too few faces (`crop=face`)."""
        return [self._encode(clip) for clip in clips]

    def _encode(self, clip: Clip) -> FeatureTrack | None:
        if clip.frames is None or not len(clip.frames.images):
            return None
        prepared = self.pictures(clip.frames)
        return None if prepared is None else self._look(*prepared)

    @abstractmethod
    def _look(self, pixels: Tensor, times: np.ndarray) -> FeatureTrack:
        """The track of pictures [N, 3, H, W] that were taken at `times` [N]."""


class ImageEncoder(_PictureEncoder):
    """One vector per frame from CLIP, a masked autoencoder or DINOv2.

    Args:
        name: a key of `MODELS`.
        compute: device and number format.
        crop: "face" (the speaker's face, as the expression encoder gets it) or "frame".
        frames: number of frames per clip.
        tokens: how a frame's tokens become one vector: "mean" of the patches; "class", the class
            token; "sum" of all tokens, the last state before its normalisation, as MERTools reads
            DINOv2; "projected" (CLIP, last layer), the class token in the space of pictures and
            words, as MERTools and AffectGPT read CLIP. Both in zeroQiaoba/MERTools at 89120b78,
            MER2024/feature_extraction/visual/extract_vision_huggingface.py.
        options: see `FullSizeEncoder`.
    """

    def __init__(
        self,
        name: str,
        compute: Compute | None = None,
        *,
        crop: str = "face",
        frames: int = 8,
        tokens: str = "mean",
        **options: Any,
    ) -> None:
        more = f"+frames={frames}+tokens={tokens}"
        super().__init__(name, compute, crop=crop, more=more, **options)
        if not 1 <= frames <= 256:
            raise EmollamaError(f"encoder '{name}': frames must be 1 to 256, not {frames}")
        if tokens not in _TOKENS:
            raise EmollamaError(
                f"encoder '{name}': tokens must be {', '.join(_TOKENS[:-1])} or {_TOKENS[-1]}, "
                f"not '{tokens}'"
            )
        self.frames = frames
        self._tokens = tokens
        self._projects = tokens == "projected"
        if self._projects and (self.model.kind != "clip" or self.readout.layer != "last"):
            raise EmollamaError(
                f"encoder '{self.key}': tokens=projected is the last layer of a CLIP model only"
            )

    def model_class(self) -> Any:
        """transformers' class of the model."""
        if not self._projects:
            return super().model_class()
        from transformers import CLIPVisionModelWithProjection

        return CLIPVisionModelWithProjection

    @property
    def _blocks(self) -> str:
        return f"vision_model.{super()._blocks}" if self._projects else super()._blocks

    @cached_property
    def width(self) -> int:
        """D, from the folder's config.json."""
        return int(self.config.projection_dim if self._projects else self.config.hidden_size)

    @property
    def _count(self) -> int:
        return self.frames

    def _look(self, pixels: Tensor, times: np.ndarray) -> FeatureTrack:
        inputs = {"pixel_values": pixels}
        if self.model.kind == "vit_mae":
            # The order of the noise is the order of the patches.
            patches = (self.config.image_size // self.config.patch_size) ** 2
            order = torch.arange(patches, dtype=torch.int64)
            inputs["noise"] = order.expand(len(pixels), -1)
        if self._projects:
            return self.readout.pool(self._net.output("image_embeds", inputs).numpy(), times)
        layers, added = self.readout.layers(self._net.total), self._tokens == "sum"
        states = self._net.sum_of(layers, inputs, normalised=not added)
        if added:
            vectors = states.sum(dim=1)
        else:
            vectors = states[:, 0] if self._tokens == "class" else states[:, 1:].mean(dim=1)
        return self.readout.pool(vectors.numpy(), times)


class VideoEncoder(_PictureEncoder):
    """VideoMAE over 16 frames spread over the clip: one vector for each pair of frames.

    Args:
        name: a key of `MODELS`.
        compute: device and number format.
        crop: "face" or "frame".
        options: see `FullSizeEncoder`.
    """

    def __init__(
        self, name: str, compute: Compute | None = None, *, crop: str = "face", **options: Any
    ) -> None:
        super().__init__(name, compute, crop=crop, **options)

    @property
    def frames(self) -> int:
        """As many frames as the model was trained with."""
        return int(self.config.num_frames)

    @property
    def _count(self) -> int:
        return self.frames

    def _look(self, pixels: Tensor, times: np.ndarray) -> FeatureTrack:
        inputs = {"pixel_values": pixels[None]}
        states = self._net.sum_of(self.readout.layers(self._net.total), inputs)[0]
        steps = self.frames // self.config.tubelet_size
        vectors = states.unflatten(0, (steps, -1)).mean(dim=1)
        return self.readout.pool(vectors.numpy(), times.reshape(steps, -1).mean(axis=1))


def _processors(kind: str, side: int) -> tuple[Any, dict[str, Any]]:
    """The processor's class, and the published values for a folder without its own."""
    require_known("image processor", kind, _BLOCKS)
    if kind == "clip":
        from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

        square = {"height": side, "width": side}
        return CLIPImageProcessorPil, {"size": {"shortest_edge": side}, "crop_size": square}
    if kind == "vit_mae":
        from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

        return ViTImageProcessorPil, {"size": {"height": side, "width": side}, **_IMAGENET}
    if kind == "videomae":
        from transformers.models.videomae.image_processing_pil_videomae import (
            VideoMAEImageProcessorPil,
        )

        square = {"height": side, "width": side}
        size = {"size": {"shortest_edge": side}, "crop_size": square}
        return VideoMAEImageProcessorPil, {**size, **_IMAGENET}
    from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil

    # DINOv2's weights state 518 pixels, from its last days of training; it is run at 224.
    size = {"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}}
    return BitImageProcessorPil, {**size, **_IMAGENET}
