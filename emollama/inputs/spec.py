"""The description of a model's input, for every kind of model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from emollama.features.store import EXTERNAL
from emollama.manifest.channels import Channel

InputKind = Literal["track", "tokens", "waveform", "frames", "fbank"]
Pooling = Literal["none", "mean", "mean+std"]
Absence = Literal["masked", "learned", "zeros", "omit"]
Standardise = bool | Literal["person"]


@dataclass(frozen=True)
class InputSpec:
    """One input of a model.

    Attributes:
        name: of the stream or modality.
        channel: its channel.
        source: the encoder's key in the feature store, "npy:FOLDER" of external tracks, or the
            reader of raw text and media.
        kind: "track", or a kind of raw text or media.
        width: D of the input; 0 before it is known.
        fingerprint: of the encoder whose features the model was trained on; "" before.
        segments: number of means of a longer track; 0 for every step.
        pool: one vector of all steps.
        absence: how a missing track is represented: not at all ("masked", or "omit" without a
            position), by a "learned" vector, or by "zeros".
        standardise: whether columns are standardised over the training split; "person" first
            measures them against the person of the clip (`emollama.inputs.person`).
        noun: "stream" or "modality", for messages.
    """

    name: str
    channel: Channel
    source: str
    kind: InputKind = "track"
    width: int = 0
    fingerprint: str = ""
    segments: int = 0
    pool: Pooling = "none"
    absence: Absence = "masked"
    standardise: Standardise = True
    noun: Literal["stream", "modality"] = "modality"

    @property
    def spec(self) -> InputSpec:
        """The description itself; streams and modalities implement the same method."""
        return self

    @property
    def cached(self) -> bool:
        """Whether it is a feature track; else it is raw text or media."""
        return self.kind == "track"

    @property
    def online(self) -> bool:
        """Whether it can be made from a clip; a track from another tool's folder cannot."""
        return not (self.cached and self.source.startswith(EXTERNAL))

    def __str__(self) -> str:
        return f"{self.noun} '{self.name}'"

    def width_of(self, columns: int) -> int:
        """The input's width for an encoder with this number of columns."""
        return 2 * columns if self.pool == "mean+std" else columns


class Described(Protocol):
    """A stream of a language model, or a modality of a fusion model."""

    @property
    def spec(self) -> InputSpec:
        """Its inputs."""
