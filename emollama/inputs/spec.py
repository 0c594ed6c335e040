"""One description of what a model reads, whichever kind of model it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from emollama.features.store import EXTERNAL
from emollama.manifest.channels import Channel

InputKind = Literal["track", "tokens", "waveform", "frames", "fbank"]
Pooling = Literal["none", "mean", "mean+std"]
Absence = Literal["masked", "learned", "zeros", "omit"]


@dataclass(frozen=True)
class InputSpec:
    """One thing that a model reads of a clip.

    Attributes:
        name: of the stream or modality.
        channel: that it is of.
        source: the encoder's key in the feature store, "npy:FOLDER" of external tracks, or what
            reads raw text and media.
        kind: "track", or the raw text or medium itself.
        width: D of what enters the model; 0 before it is known.
        fingerprint: of the encoder whose features the model was trained on; "" before.
        segments: so many means of a longer track; 0 for every step.
        pool: one vector of all steps.
        absence: what stands for a missing track: nothing ("masked", or "omit": no place either), a
            "learned" vector, or "zeros".
        standardise: whether columns are standardised over the training split.
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
    standardise: bool = True
    noun: Literal["stream", "modality"] = "modality"

    @property
    def spec(self) -> InputSpec:
        """Itself: what streams and modalities describe themselves by."""
        return self

    @property
    def cached(self) -> bool:
        """Whether it is a feature track; else the model takes the text or medium itself."""
        return self.kind == "track"

    @property
    def online(self) -> bool:
        """Whether it can be had from a clip; a track of another tool's folder cannot."""
        return not (self.cached and self.source.startswith(EXTERNAL))

    def __str__(self) -> str:
        return f"{self.noun} '{self.name}'"

    def width_of(self, columns: int) -> int:
        """What is `width` where the encoder's tracks have so many columns."""
        return 2 * columns if self.pool == "mean+std" else columns


class Described(Protocol):
    """A stream of a language model, or a modality of a fusion model."""

    @property
    def spec(self) -> InputSpec:
        """What it reads."""
