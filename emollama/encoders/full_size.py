"""Shared code of full-size encoders: options, weights by name, and pooling over time."""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from emollama.assets.folders import folder_hash, model_folder
from emollama.assets.models import MODELS
from emollama.base.errors import EmollamaError
from emollama.encoders.base import FeatureTrack
from emollama.encoders.compute import Compute
from emollama.media.clip import MAX_SIDE

LEVELS = ("utt", "fra")
_MOST_SEGMENTS = 1500


@dataclass(frozen=True)
class Readout:
    """Which hidden states become the track, and how they are pooled over time.

    Attributes:
        layer: "last" (the model's last hidden state), "last4" (sum of the last four), or N: the
            output of block N, 0 being the input of the first. N = number of blocks is "last", and
            so includes the model's final normalisation, if any.
        level: "utt" (mean over time) or "fra" (every step).
        segments: instead of a level, means over this many equal parts of the time.
    """

    layer: int | str = "last"
    level: str = "utt"
    segments: int | None = None

    @property
    def key(self) -> str:
        """The options as written in a spec."""
        over_time = f"segments={self.segments}" if self.segments else f"level={self.level}"
        return f"layer={self.layer}+{over_time}"

    @property
    def whole(self) -> bool:
        """Whether the track is one vector, the mean over time."""
        return self.segments is None and self.level == "utt"

    def layers(self, total: int) -> list[int]:
        """Indices of the hidden states that are summed, of a model with `total` blocks."""
        if self.layer == "last":
            return [total]
        if self.layer == "last4":
            return list(range(total - 3, total + 1))
        return [int(self.layer)]

    def pool(
        self, tokens: np.ndarray, times: np.ndarray, overlapping: bool = False
    ) -> FeatureTrack:
        """[T, D] with times [T] in seconds, T > 0, to a track.

        `overlapping`: a step on the border of two parts counts in both, as torch's adaptive average
        pooling has it.
        """
        tokens = np.ascontiguousarray(tokens, np.float32)
        times = np.asarray(times, np.float32)
        if self.segments is None and self.level == "fra":
            return FeatureTrack(tokens, times)
        edges = np.linspace(0, len(tokens), (self.segments or 1) + 1)
        # A clip with fewer tokens than segments repeats tokens.
        down, up = (math.floor, math.ceil) if overlapping else (round, round)
        spans = [
            slice(first := min(down(low), len(tokens) - 1), max(up(high), first + 1))
            for low, high in pairwise(edges)
        ]
        return FeatureTrack(
            np.stack([tokens[span].mean(axis=0) for span in spans]),
            np.array([times[span].mean() for span in spans], np.float32),
        )


class FullSizeEncoder(ABC):
    """A frozen model with published weights, found by name.

    The weights are looked up only when the width, the fingerprint or a track is needed.

    Args:
        name: a key of `emollama.assets.models.MODELS`.
        compute: device and number format.
        layer: see `Readout`.
        level: see `Readout`; "utt" by default.
        segments: see `Readout`; excludes `level`.
        more: further options of this kind of encoder, for its key.
    """

    columns: tuple[str, ...] = ()
    opening = False
    max_side: int | None = MAX_SIDE
    """Both as in `View`."""
    code = 1
    """Raised whenever the numbers change."""

    def __init__(
        self,
        name: str,
        compute: Compute | None = None,
        *,
        layer: int | str = "last",
        level: str | None = None,
        segments: int | None = None,
        more: str = "",
    ) -> None:
        self.model = MODELS[name]
        self.compute = compute or Compute()
        if level is not None and segments is not None:
            raise EmollamaError(f"encoder '{name}': level and segments exclude each other")
        if level not in (None, *LEVELS):
            raise EmollamaError(f"encoder '{name}': level must be utt or fra, not '{level}'")
        if segments is not None and not 1 <= segments <= _MOST_SEGMENTS:
            raise EmollamaError(f"encoder '{name}': segments must be 1 to {_MOST_SEGMENTS}")
        self.readout = Readout(layer, level or "utt", segments)
        self.key = f"{name}+{self.readout.key}{more}"

    @cached_property
    def folder(self) -> Path:
        """Folder of the weights; fetched from a hub if missing and a hub is reachable."""
        return model_folder(self.model.name)

    @cached_property
    def config(self) -> Any:
        """transformers' configuration of the part that runs."""
        config_class = self.model_class().config_class
        try:
            config = config_class.from_pretrained(self.folder, local_files_only=True)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EmollamaError(f"{self.folder}/config.json: cannot be read: {error}") from error
        layers = self.readout.layers(config.num_hidden_layers)
        if min(layers) < 0 or max(layers) > config.num_hidden_layers:
            raise EmollamaError(
                f"encoder '{self.key}': layer must be last, last4 or 0 to "
                f"{config.num_hidden_layers}" + ("" if min(layers) >= 0 else " (no last4 here)")
            )
        return config

    @cached_property
    def width(self) -> int:
        """D, from the folder's config.json."""
        return int(self.config.hidden_size)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over code version, weights, configuration, options and number format."""
        return self._fingerprint(folder_hash(self.folder))

    def _fingerprint(self, *facts: str) -> str:
        dtype = str(self.compute.torch_dtype()).removeprefix("torch.")
        text = ":".join(
            [str(self.code), self.key, *facts, *([dtype] if dtype != "float32" else [])]
        )
        return hashlib.sha256(text.encode()).hexdigest()

    @abstractmethod
    def model_class(self) -> Any:
        """The model's class in transformers."""
