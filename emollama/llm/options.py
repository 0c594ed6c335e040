"""Options of an EmotionLlama stored in its artefact: streams, LoRA, number format."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from emollama.base.config import Strict
from emollama.base.precision import Quantisation as Quantisation
from emollama.inputs.spec import InputSpec, Standardise

Attention = Literal["sdpa", "eager", "flash_attention_2"]
Clues = Literal["reasons", "always", "never"]


class StreamSection(Strict):
    """One stream; its width is read from the feature store. See `StreamConfig`.

    `initial_weights` of its projector: "random", or "probe", from a linear probe of the labels (see
    `emollama.llm.training.probe`), for linear projectors of a single layer.
    """

    name: str
    channel: Literal["voice", "face", "words"]
    source: str
    tokens: int = Field(default=1, ge=1)
    projector: Literal["linear", "mlp"] = "linear"
    hidden: int = Field(default=0, ge=0)
    layers: int = Field(default=1, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    absent: Literal["learned", "zeros", "omit"] = "learned"
    standardise: Standardise = True
    initial_weights: Literal["random", "probe"] = "random"

    @property
    def spec(self) -> InputSpec:
        """The stream as an `InputSpec`, like every model's input."""
        return InputSpec(
            self.name, self.channel, self.source, segments=self.tokens, absence=self.absent,
            standardise=self.standardise, noun="stream",
        )  # fmt: skip

    @model_validator(mode="after")
    def _probe_is_linear(self) -> StreamSection:
        given = self.initial_weights
        if given != "random" and (self.projector != "linear" or self.layers != 1):
            raise ValueError(f"initial_weights: {given} needs a linear projector of a single layer")
        return self


class LoraSection(Strict):
    """LoRA (Hu et al. 2022) on linear layers of the language model, never on its head.

    `rslora` scales by alpha / sqrt(r) (Kalajdzievski 2023), `dora` learns magnitudes apart (Liu et
    al. 2024), `plus_ratio` is the learning rate of B over that of A (LoRA+, Hayou et al. 2024).
    """

    r: int = Field(default=16, ge=1)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.05, ge=0, lt=1)
    rslora: bool = False
    dora: bool = False
    plus_ratio: float = Field(default=1.0, ge=1)
    targets: list[str] = Field(
        default=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
        min_length=1,
    )
