"""Configuration of an EmotionLlama: a language model, an ordered list of streams, a layout."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from transformers import AutoConfig, PreTrainedConfig

from emollama.base.errors import EmollamaError, did_you_mean, require_known
from emollama.base.files import read_json
from emollama.base.precision import Quantisation
from emollama.inputs.spec import InputSpec, Standardise
from emollama.manifest.channels import Channel

AbsentRule = Literal["learned", "zeros", "omit"]
ProjectorKind = Literal["linear", "mlp"]


@dataclass(frozen=True)
class StreamConfig:
    """One feature track entering the language model.

    Args:
        name: name in the layout, and of the projector (`projector_<name>`).
        channel: the unit that is switched on and off: "voice", "face" or "words".
        source: the encoder's key in the feature store, or "npy:<folder>" for external tracks.
        width: D, the columns of the track.
        tokens: positions the stream takes in the prompt; a longer track is averaged into as many
            segments, a shorter one is repeated.
        projector: "linear", or "mlp" (one hidden layer of `hidden` units with GELU).
        hidden: hidden units of an "mlp" projector.
        layers: more than 1 for a learned mix: the track holds this many layers side by side and
            the projector learns their softmax weights (as in ELMo, Peters et al. 2018).
        dropout: feature dropout at the projector's input.
        absent: replacement of a missing track: a "learned" vector per token, "zeros" in place of
            the standardised features (what released Emotion-LLaMA weights saw), or "omit": no
            tokens at all.
        standardise: whether columns are standardised over the training split, and clipped at 10
            deviations; False where released projectors take features as they come.
        fingerprint: of the encoder whose features the model was tuned on; "" when not known.
    """

    name: str
    channel: Channel
    source: str
    width: int
    tokens: int = 1
    projector: ProjectorKind = "linear"
    hidden: int = 0
    layers: int = 1
    dropout: float = 0.0
    absent: AbsentRule = "learned"
    standardise: Standardise = True
    fingerprint: str = ""

    def __post_init__(self) -> None:
        where = f"stream '{self.name}'"
        if not self.name.isidentifier():
            raise EmollamaError(f"{where}: the name must be a valid identifier")
        for key, allowed in (
            ("channel", get_args(Channel)),
            ("projector", get_args(ProjectorKind)),
            ("absent", get_args(AbsentRule)),
        ):
            value = getattr(self, key)
            if value not in allowed:
                raise EmollamaError(f"{where}: {key} '{value}'{did_you_mean(value, allowed)}")
        if self.width < 1 or self.tokens < 1 or self.layers < 1:
            raise EmollamaError(f"{where}: width, tokens and layers must be at least 1")
        if self.width % self.layers:
            raise EmollamaError(f"{where}: width {self.width} is not {self.layers} layers wide")
        if self.projector == "mlp" and self.hidden < 1:
            raise EmollamaError(f"{where}: an mlp projector needs 'hidden' units")

    @property
    def spec(self) -> InputSpec:
        """The stream as an `InputSpec`, like every model's input."""
        return InputSpec(
            self.name, self.channel, self.source, width=self.width, fingerprint=self.fingerprint,
            segments=self.tokens, absence=self.absent, standardise=self.standardise, noun="stream",
        )  # fmt: skip

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> StreamConfig:
        """Build from plain data; an unknown key is an `EmollamaError`."""
        known = {f.name for f in fields(cls)}
        for key in values:
            if key not in known:
                raise EmollamaError(f"stream: unknown key '{key}'{did_you_mean(key, known)}")
        return cls(**values)


class EmotionLlamaConfig(PreTrainedConfig):
    """Configuration of `EmotionLlama`.

    Args:
        text_config: the language model's own configuration (any causal LM).
        streams: `StreamConfig`s as dictionaries, in the order of their indices.
        llm: where the frozen language model came from: an asset name, hub id or folder.
        llm_sha256: hash of its weights, so that an adapter is never put on another model.
        quantise: how it was held in training, and is held again when the artefact is opened.
    """

    model_type = "emotion_llama"
    sub_configs = {"text_config": AutoConfig}  # noqa: RUF012 - the name and form are transformers'

    def __init__(
        self,
        text_config: PreTrainedConfig | dict[str, Any] | None = None,
        streams: list[dict[str, Any]] | None = None,
        llm: str = "",
        llm_sha256: str = "",
        quantise: Quantisation = "none",
        **kwargs: Any,
    ) -> None:
        if isinstance(text_config, dict):
            values = dict(text_config)
            text_config = AutoConfig.for_model(values.pop("model_type", "llama"), **values)
        elif text_config is None:
            text_config = AutoConfig.for_model("llama")
        else:
            # A copy: transformers resets the attention implementation of a composite's parts,
            # and a running language model without one drops its attention mask.
            text_config = copy.deepcopy(text_config)
        # The name without its folder, which says where somebody's home is.
        text_config.name_or_path = Path(text_config.name_or_path or "").name
        if hasattr(text_config, "quantization_config"):
            del text_config.quantization_config  # of the weights in memory, not of those on disk
        self.text_config = text_config
        self.streams = [asdict(StreamConfig.from_dict(dict(s))) for s in streams or []]
        names = [s["name"] for s in self.streams]
        if len(set(names)) != len(names):
            raise EmollamaError(f"streams: names must be distinct, got {', '.join(names)}")
        self.llm = llm
        self.llm_sha256 = llm_sha256
        require_known("quantise", quantise, get_args(Quantisation))
        self.quantise = quantise
        kwargs.setdefault("tie_word_embeddings", text_config.tie_word_embeddings)
        super().__init__(**kwargs)

    @property
    def stream_configs(self) -> tuple[StreamConfig, ...]:
        """The streams in order."""
        return tuple(StreamConfig.from_dict(s) for s in self.streams)


def read_config(folder: Path) -> EmotionLlamaConfig:
    """The configuration of an artefact.

    Raises:
        EmollamaError: the file is missing, corrupt, or another model's.
    """
    path = folder / "config.json"
    values = read_json(path)
    if not isinstance(values, dict) or values.get("model_type") != EmotionLlamaConfig.model_type:
        raise EmollamaError(f"{path}: is not a configuration of an EmotionLlama")
    try:
        return EmotionLlamaConfig(**{k: v for k, v in values.items() if k != "model_type"})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise EmollamaError(f"{path}: cannot be used: {error}") from error


AutoConfig.register(EmotionLlamaConfig.model_type, EmotionLlamaConfig)
