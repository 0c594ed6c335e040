"""Configuration of a fusion model: modalities, task, and options of its system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from transformers import PreTrainedConfig

from emollama.base.config import Strict, checked, without_unused
from emollama.base.errors import EmollamaError
from emollama.fusion.layers import require_whole_heads
from emollama.inputs.spec import InputKind, InputSpec, Pooling, Standardise
from emollama.runs.artefact import TaskKind as TaskKind

CHANNEL_OF = {"tokens": "words", "waveform": "voice", "frames": "face", "fbank": "voice"}
"""The channel of each kind of raw input."""


class ModalitySection(Strict):
    """One input: a feature track of the store, or raw media for an encoder that is trained.

    `kind` "track" reads `source` as a stream does; "tokens", "waveform", "frames" and "fbank" read
    the manifest's own text and media. `pool` reduces a track to one vector ("mean" over its steps,
    "mean+std" with their deviation); `segments` above 0 averages a longer track into this many
    steps. For "tokens" and "waveform", `source` is the local folder of a transformers model, which
    is trained with the fusion unless `frozen`; with `trained_layers` above 0, only that many of its
    last layers are. For "frames", `count` pictures per clip are read, `side` pixels wide and high,
    out of `per_second` a second. `width` and `fingerprint` are read from the store and kept with
    the model.
    """

    name: str
    channel: Literal["voice", "face", "words"]
    kind: InputKind = "track"
    source: str = ""
    pool: Pooling = "none"
    segments: int = Field(default=0, ge=0)
    standardise: Standardise = True
    frozen: bool = False
    trained_layers: int = Field(default=0, ge=0)
    count: int = Field(default=3, ge=1)
    per_second: float = Field(default=1.0, gt=0)
    side: int = Field(default=224, ge=64)  # ResNet-18 leaves 2 x 2 for its batch norm
    width: int = Field(default=0, ge=0)
    fingerprint: str = ""

    @property
    def spec(self) -> InputSpec:
        """The modality as an `InputSpec`, like every model's input."""
        return InputSpec(
            self.name, self.channel, self.source, self.kind, self.width, self.fingerprint,
            self.segments, self.pool, standardise=self.standardise,
        )  # fmt: skip

    @property
    def takes_media(self) -> bool:
        """Whether it reads raw sound or pictures."""
        return self.kind not in ("track", "tokens")

    @model_validator(mode="after")
    def _sound(self) -> ModalitySection:
        if not self.name.isidentifier():
            raise ValueError(f"modality '{self.name}': the name must be a valid identifier")
        if self.kind == "track" and not self.source:
            raise ValueError(
                f"modality '{self.name}': a track needs a source, an encoder or npy:FOLDER"
            )
        if self.kind in ("tokens", "waveform") and not self.source:
            raise ValueError(
                f"modality '{self.name}': {self.kind} needs a source, the local folder of a "
                "transformers model"
            )
        # What is kept with a model states every option; one at its default asks for nothing.
        of_others: tuple[str, ...] = ("standardise",) if self.kind != "track" else ()
        of_others += ("count", "per_second", "side") if self.kind != "frames" else ()
        asked = type(self).model_fields
        unused = [n for n in of_others if getattr(self, n) != asked[n].default]
        if unused:
            raise ValueError(
                f"modality '{self.name}': {unused[0]} is for "
                f"{'a track' if unused[0] == 'standardise' else 'frames'}, not for {self.kind}; "
                "leave it out"
            )
        if self.kind == "track" and self.frozen:
            raise ValueError(
                f"modality '{self.name}': frozen is for raw input; a track is always frozen"
            )
        if self.trained_layers and (self.frozen or self.kind not in ("tokens", "waveform")):
            raise ValueError(
                f"modality '{self.name}': trained_layers is for tokens or a waveform "
                "with frozen: false"
            )
        if self.pool != "none" and self.segments:
            raise ValueError(f"modality '{self.name}': pool makes one vector; leave segments out")
        if self.kind == "track":
            return self
        if self.pool != "none" or self.segments:
            raise ValueError(f"modality '{self.name}': pool and segments are for tracks only")
        if self.channel != CHANNEL_OF[self.kind]:
            raise ValueError(
                f"modality '{self.name}': {self.kind} need channel: {CHANNEL_OF[self.kind]}"
            )
        if self.source and self.kind in ("frames", "fbank"):
            raise ValueError(
                f"modality '{self.name}': {self.kind} are read from the manifest's media; leave "
                "source out"
            )
        return self


class FusionTask(Strict):
    """What is predicted.

    `kind`: one "label" of the manifest's set, several "labels" at once (multi-label), "values" of
    the clip (`values` names them: valence, arousal, sentiment), "label+values", or "frames": the
    values over time. `class_weights: balanced` weighs a label by the inverse of its count in
    training (for labels: positives by negatives / positives). `soft_labels`: learn a label from the
    votes of its annotators where the manifest has them. `value_loss`: mean squared error,
    1 - CCC over the batch, or a classification over `bins` bins with 1 - CCC of its expectation.
    """

    model_config = ConfigDict(frozen=True)  # models of one task share it

    kind: TaskKind = "label"
    values: tuple[str, ...] = ()
    class_weights: Literal["none", "balanced"] = "none"
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    soft_labels: bool = False
    value_loss: Literal["mse", "ccc", "ce+ccc"] = "mse"
    value_weight: float = Field(default=1.0, gt=0)
    bins: int = Field(default=22, ge=2)

    @model_serializer(mode="wrap")
    def _as_given(self, values: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without `soft_labels` where it is off, so that earlier runs are gone on with."""
        return without_unused(values(self), {"soft_labels": False})

    @model_validator(mode="after")
    def _values_where_asked(self) -> FusionTask:
        if self.soft_labels and self.kind not in ("label", "label+values"):
            raise ValueError(f"task {self.kind}: soft_labels are for one label; leave them out")
        wanted = self.kind in ("values", "label+values", "frames")
        if wanted != bool(self.values):
            raise ValueError(
                f"task {self.kind}: name the values, e.g. [valence]"
                if wanted
                else f"task {self.kind} predicts no values"
            )
        if len(set(self.values)) != len(self.values):
            raise ValueError("values: a name is given twice; names must be distinct")
        return self

    @property
    def has_labels(self) -> bool:
        """Whether the task uses the label set."""
        return self.kind in ("label", "labels", "label+values")

    def width(self, labels: Sequence[str]) -> int:
        """Columns of the logits: labels first, then values (`bins` columns each under CE)."""
        each = self.bins if self.value_loss == "ce+ccc" else 1
        return (len(labels) if self.has_labels else 0) + each * len(self.values)


class AttentionOptions(Strict):
    """Options of a system whose attention has one width; ValueError unless `heads` divides it."""

    width: int = Field(default=256, ge=1)
    heads: int = Field(default=4, ge=1)

    @model_validator(mode="after")
    def _whole_heads(self) -> Self:
        require_whole_heads(self.width, self.heads)
        return self


class FusionConfig(PreTrainedConfig):
    """Configuration of a `FusionModel`; a system's own subclass names its options.

    Args:
        modalities: `ModalitySection`s as dictionaries, in order.
        labels: the label set, in order; empty where the task has none.
        task: a `FusionTask` as a dictionary.
        options: the system's options as a dictionary, see its `options_class`.
        class_weights: one factor a label, fitted on the training split; empty for none.
        backbones: by modality, what a trainable encoder was built from (see `TrainableEncoder`);
            recorded when the model is created, so that the encoder's folder is not needed for
            loading.
    """

    model_type = "emollama_fusion"
    system: ClassVar[str] = ""
    options_class: ClassVar[type[Strict]] = Strict

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # transformers writes an __init__ of its own into configuration classes that have none.
        if "__init__" not in cls.__dict__:
            cls.__init__ = FusionConfig.__init__  # type: ignore[method-assign]
        super().__init_subclass__(**kwargs)

    def __init__(
        self,
        modalities: Sequence[dict[str, Any]] | None = None,
        labels: Sequence[str] | None = None,
        task: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
        class_weights: Sequence[float] | None = None,
        backbones: dict[str, dict[str, Any]] | None = None,
        **kwargs: Any,
    ) -> None:
        try:
            sections = [ModalitySection.model_validate(m) for m in modalities or []]
            wanted = FusionTask.model_validate(task or {})
        except ValidationError as error:
            raise EmollamaError(f"{self.system}: {error.errors()[0]['msg']}") from error
        names = [m.name for m in sections]
        if len(set(names)) != len(names):
            raise EmollamaError(f"modalities: names must be distinct, got {', '.join(names)}")
        self.modalities = [m.model_dump() for m in sections]
        self.labels = list(labels or [])
        self.task = wanted.model_dump(mode="json")
        self.options = self.checked_options(options or {}).model_dump(mode="json")
        self.class_weights = [float(w) for w in class_weights or []]
        self.backbones = dict(backbones or {})
        # The label set is ours: transformers' id2label would repeat it under other names.
        super().__init__(**kwargs)

    @classmethod
    def checked_options(cls, options: dict[str, Any]) -> Strict:
        """The options with their defaults; one line for an unknown key or a bad value."""
        return checked(cls.options_class, options, f"fusion.options of {cls.system}")

    @property
    def sections(self) -> tuple[ModalitySection, ...]:
        """The modalities in order."""
        return tuple(ModalitySection.model_validate(m) for m in self.modalities)

    @property
    def names(self) -> tuple[str, ...]:
        """The modalities' names in order."""
        return tuple(m["name"] for m in self.modalities)

    @property
    def goal(self) -> FusionTask:
        """The task."""
        return _task(_hashable(self.task))

    @property
    def width(self) -> int:
        """Columns of the logits."""
        return self.goal.width(self.labels)


@lru_cache
def _task(items: tuple[tuple[str, Any], ...]) -> FusionTask:
    """Validated once: a small model's loss needs its task at every step."""
    return FusionTask.model_validate(dict(items))


def _hashable(values: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple((k, tuple(v) if isinstance(v, list) else v) for k, v in values.items())
