"""Configuration of instruction tuning; `emollama train` reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from emollama.base import torchrun
from emollama.base.config import Seed, Strict, without_unused
from emollama.base.precision import TrainingPrecision
from emollama.inputs.config import DataSection, ModalityDropout
from emollama.llm.clues import MORE_VOICE_RULES, VOICE_RULES, VoiceRule
from emollama.llm.options import Attention, Clues, LoraSection, Quantisation, StreamSection
from emollama.llm.released.keys import translate_training
from emollama.llm.training.methods.config import DpoSection, GrpoSection, Method
from emollama.manifest.sample import LONGEST_CONTEXT, Targets


class ModelSection(Strict):
    """`llm`: an asset's name, or the folder of any causal LM in the transformers format.

    `initialise_from`: an artefact with the initial adapters, projectors and standardisers (stage 2
    after stage 1), or a released `.pth`. `quantise`: load the frozen language model in 8 or 4 bits
    (bitsandbytes, on a GPU; QLoRA, Dettmers et al. 2023). `streams`: none for words alone.
    `context`: number of earlier turns of a conversation to read. `probe_strength`: C of the
    regression for `initial_weights: probe`; use a small value for few speakers. `probe_alone`: fit
    that regression also on every channel alone. `channel_heads`: weight of a regression of each
    channel beside the language model's label scores, with the same C; 0 for none. `clue_heads`:
    probability from which a clue that a regression finds stands in the prompt of a reason, where
    the training clips' clues are known; 0 for none (`emollama.llm.heads`).
    """

    llm: str = "smollm2-135m-instruct"
    initialise_from: Path | None = None
    layout: str = "emollama-chat"
    dtype: TrainingPrecision = "auto"
    quantise: Quantisation = "none"
    attention: Attention = "sdpa"
    streams: list[StreamSection] = Field(default=[])
    context: int = Field(default=0, ge=0, le=LONGEST_CONTEXT)
    probe_strength: float = Field(default=0.01, gt=0)
    probe_alone: bool = False
    channel_heads: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    clue_heads: float = Field(default=0.0, ge=0, lt=1)
    lora: LoraSection = LoraSection()

    @model_serializer(mode="wrap")
    def _as_given(self, values: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what is off, so that earlier runs are gone on with."""
        off = {"probe_alone": False, "channel_heads": 0.0, "clue_heads": 0.0}
        return without_unused(values(self), off)

    @model_validator(mode="after")
    def _one_beginning(self) -> ModelSection:
        set_twice = [s for s in self.streams if s.initial_weights != "random"]
        if self.initialise_from is not None and set_twice:
            raise ValueError(
                f"initialise_from sets the projectors' weights, so stream '{set_twice[0].name}' "
                f"must not have initial_weights: {set_twice[0].initial_weights}"
            )
        return self


class TaskSection(Strict):
    """Relative frequency of a task, and the weight of its loss."""

    share: float = Field(default=1.0, ge=0)
    weight: float = Field(default=1.0, gt=0)


class EmotionSection(TaskSection):
    """The task of labels; with `soft_labels` a clip's label is drawn anew in every epoch from the
    votes of its annotators, where it has any.
    """

    soft_labels: bool = False

    @model_serializer(mode="wrap")
    def _as_given(self, values: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without `soft_labels` where it is off, so that earlier runs are gone on with."""
        return without_unused(values(self), {"soft_labels": False})


class ReasonSection(TaskSection):
    """The task of reasons; `from_clues` makes them of measured clues where a corpus has none."""

    from_clues: bool = False

    @property
    def voice_rules(self) -> tuple[VoiceRule, ...]:
        """The rules for words on the voice."""
        return MORE_VOICE_RULES if self.from_clues else VOICE_RULES

    @model_serializer(mode="wrap")
    def _as_given(self, values: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without `from_clues` where it is off, so that earlier runs are gone on with."""
        return without_unused(values(self), {"from_clues": False})


class TasksSection(Strict):
    """The tasks; a sample is asked only what it has an answer to: a label (or votes), a reason, or
    a set of words, which it is asked to list.

    `clues`: whether prompts contain clues in words, measured or from the corpus: for "reasons"
    only, "always" (also for emotions), or "never".
    """

    emotion: EmotionSection = EmotionSection()
    reason: ReasonSection = ReasonSection(share=0.0)
    describe: TaskSection = TaskSection(share=0.0)
    clues: Clues = "reasons"

    @model_validator(mode="after")
    def _some_task(self) -> TasksSection:
        if self.emotion.share + self.reason.share + self.describe.share <= 0:
            raise ValueError("the shares of all tasks are 0; set one above 0")
        return self

    @model_serializer(mode="wrap")
    def _as_given(self, values: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without `describe` where it is never asked, so that earlier runs are gone on with."""
        found: dict[str, Any] = values(self)
        return {k: v for k, v in found.items() if k != "describe" or self.describe.share}

    def shares(self, targets: Targets) -> dict[str, float]:
        """{task: share} of the tasks that a clip with these targets has an answer to."""
        labelled = targets.emotion is not None
        found = {}
        if labelled or (self.emotion.soft_labels and targets.votes):
            found["emotion"] = self.emotion.share
        if targets.reason or (labelled and self.reason.from_clues):
            found["reason"] = self.reason.share
        if targets.words and self.describe.share:
            found["describe"] = self.describe.share
        return found


class TrainingSection(Strict):
    """Steps are optimizer steps; `batch_size` is the number of samples per step over all processes.

    `micro_batch` is the number that one process holds at a time; the rest is accumulated.
    `pack_tokens` above 0 packs samples into rows of at most that many tokens instead; `micro_batch`
    is then not used. `neftune_alpha` adds noise to token embeddings (Jain et al. 2023), sized by
    the length of the row, which must therefore hold one sample. `workers` prepare samples ahead of
    the model. `resume`: "auto" continues from the newest checkpoint of this run, "never" starts
    from scratch. `report_to` are names of transformers' integrations (tensorboard, wandb, trackio,
    mlflow, ...), whose packages the user installs.

    `method`: "sft" is supervised, "dpo" and "grpo" train reasons (`training.methods`). `twins`: the
    two clips of a pair stand in one step, with the same question.
    """

    method: Method = "sft"
    twins: bool = False
    dpo: DpoSection = DpoSection()
    grpo: GrpoSection = GrpoSection()
    max_steps: int = Field(ge=1)
    batch_size: int = Field(default=8, ge=1)
    micro_batch: int = Field(default=8, ge=1)
    pack_tokens: int = Field(default=0, ge=0)
    learning_rate: float = Field(default=2e-4, gt=0)
    projector_learning_rate: float = Field(default=1e-3, gt=0)
    min_learning_rate: float = Field(default=0.0, ge=0)
    warmup_learning_rate: float = Field(default=0.0, ge=0)
    weight_decay: float = Field(default=0.01, ge=0)
    warmup_steps: int = Field(default=10, ge=0)
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    max_grad_norm: float = Field(default=1.0, ge=0)
    neftune_alpha: float = Field(default=0.0, ge=0)
    workers: int = Field(default=0, ge=0)
    log_every_steps: int = Field(default=10, ge=1)
    save_every_steps: int = Field(default=60, ge=1)
    evaluate_every_steps: int = Field(default=0, ge=0)
    keep_best: bool = False
    gradient_checkpointing: bool = False
    deepspeed: Path | None = None
    resume: Literal["auto", "never"] = "auto"
    report_to: list[str] = Field(default=["tensorboard"])

    @model_serializer(mode="wrap")
    def _as_given(self, values: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what is as it was, so that earlier runs are gone on with."""
        unused = {"report_to": ["tensorboard"], "method": "sft", "twins": False}
        found = without_unused(values(self), unused)
        return {k: v for k, v in found.items() if k not in ("dpo", "grpo") or k == self.method}

    @model_validator(mode="after")
    def _whole_batches(self) -> TrainingSection:
        if (
            not self.pack_tokens
            and self.batch_size % self.micro_batch
            and self.micro_batch < self.batch_size
        ):
            raise ValueError(
                f"batch_size {self.batch_size} is not a multiple of micro_batch {self.micro_batch}"
            )
        if self.neftune_alpha and self.pack_tokens:
            raise ValueError("neftune_alpha does not work with packing; set pack_tokens: 0")
        if self.keep_best and not self.evaluate_every_steps:
            raise ValueError("keep_best needs evaluate_every_steps")
        if (self.twins or self.method == "dpo") and self.batch_size % 2:
            raise ValueError(f"twins need an even batch_size, not {self.batch_size}")
        floors = max(self.min_learning_rate, self.warmup_learning_rate)
        if floors > self.learning_rate:
            raise ValueError(
                f"a lowest rate of {floors:g} is above learning_rate {self.learning_rate:g}"
            )
        if self.min_learning_rate and self.schedule != "cosine":
            raise ValueError(f"min_learning_rate needs schedule: cosine, not {self.schedule}")
        if self.warmup_learning_rate and not self.min_learning_rate:
            raise ValueError("warmup_learning_rate needs min_learning_rate")
        return self


class TrainConfig(Strict):
    """Configuration of a tuning run."""

    former_names: ClassVar[Mapping[str, str]] = {
        "model.start": "initialise_from",
        "model.streams.*.start": "initial_weights",
        "tasks.words": "describe",
        "training.log_every": "log_every_steps",
        "training.save_every": "save_every_steps",
        "training.evaluate_every": "evaluate_every_steps",
    }
    seed: Seed = 7
    output: Path
    data: DataSection
    model: ModelSection
    tasks: TasksSection = TasksSection()
    modality_dropout: ModalityDropout = ModalityDropout()
    training: TrainingSection

    @model_validator(mode="after")
    def _clues_of_reasons(self) -> TrainConfig:
        """Prompts of training hold known clues, which tell a label as no measured clue does."""
        if self.model.clue_heads and self.tasks.clues == "always":
            raise ValueError(
                "model.clue_heads needs tasks.clues: reasons; with always, labels would be learned "
                "from clues that are known of training clips alone"
            )
        return self

    @model_validator(mode="after")
    def _of_reasons(self) -> TrainConfig:
        """DPO and GRPO train the adapters of a model on reasons and nothing else, in one process,
        without noise.
        """
        method, training, tasks = self.training.method, self.training, self.tasks
        untrained = [s.name for s in self.model.streams if s.initial_weights == "random"]
        if method == "sft":
            return self
        wrong = {
            "tasks.reason.share above 0": not tasks.reason.share,
            "tasks.emotion.share: 0, for it trains reasons alone": bool(tasks.emotion.share),
            "tasks.describe.share: 0, for it trains reasons alone": bool(tasks.describe.share),
            "training.pack_tokens: 0": bool(training.pack_tokens),
            "training.neftune_alpha: 0": bool(training.neftune_alpha),
            "model.attention: sdpa": self.model.attention != "sdpa",
            "no training.deepspeed": training.deepspeed is not None,
            "a single process": torchrun.world_size() > 1,
            "model.initialise_from, for it trains no projectors, and these would stay random": (
                bool(untrained) and self.model.initialise_from is None
            ),
        }
        for what, needed in wrong.items():
            if needed:
                raise ValueError(f"training.method: {method} needs {what}")
        return self

    @classmethod
    def translated(
        cls, values: dict[str, Any], dataset: str | None
    ) -> tuple[dict[str, Any], list[str]]:
        """Translate keys of the released Emotion-LLaMA."""
        del dataset
        return translate_training(values, torchrun.world_size())
