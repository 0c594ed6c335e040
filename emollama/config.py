"""Run configurations: YAML files, checked key by key, with `a.b=c` overrides on top.

The pydantic models below are the schema. A preset in `train_configs/` or `eval_configs/` names
only what differs from the defaults here; the effective configuration is saved beside the result.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from yaml import YAMLError

from emollama import torchrun
from emollama.errors import EmollamaError, did_you_mean
from emollama.files import read_text
from emollama.released_keys import translate_evaluation, translate_training
from emollama.sample import LONGEST_CONTEXT

Precision = Literal["auto", "float32", "bfloat16"]
Quantisation = Literal["none", "8bit", "4bit"]
Attention = Literal["sdpa", "eager", "flash_attention_2"]
Clues = Literal["reasons", "always", "never"]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class Strict(BaseModel):
    """A section of a configuration: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class StreamSection(Strict):
    """One stream; its width is read from the feature store. See `StreamConfig`.

    `start` is how the projector begins: "random", or "probe", from a linear probe of the labels
    (see `emollama.training.probe`; for linear projectors of a single layer).
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
    standardise: bool = True
    start: Literal["random", "probe"] = "random"

    @model_validator(mode="after")
    def _probe_is_linear(self) -> StreamSection:
        if self.start == "probe" and (self.projector != "linear" or self.layers != 1):
            raise ValueError("start: probe needs a linear projector of a single layer")
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


class ModelSection(Strict):
    """`llm`: an asset's name, or the folder of any causal LM in the transformers format.

    `start`: an artefact whose adapters, projectors and standardisers the run begins with (stage 2
    after stage 1), or a released `.pth`. `quantise`: hold the frozen language model in 8 or 4 bits
    (bitsandbytes, on a GPU; QLoRA, Dettmers et al. 2023). `streams`: none for words alone.
    `context`: how many turns of a conversation before the clip are read. `probe_strength`: C of the
    regression behind `start: probe`, small where speakers are few.
    """

    llm: str = "smollm2-135m-instruct"
    start: Path | None = None
    layout: str = "emollama-chat"
    dtype: Precision = "auto"
    quantise: Quantisation = "none"
    attention: Attention = "sdpa"
    streams: list[StreamSection] = []
    context: int = Field(default=0, ge=0, le=LONGEST_CONTEXT)
    probe_strength: float = Field(default=0.01, gt=0)
    lora: LoraSection = LoraSection()

    @model_validator(mode="after")
    def _one_beginning(self) -> ModelSection:
        probed = [s.name for s in self.streams if s.start == "probe"]
        if self.start is not None and probed:
            raise ValueError(
                f"start gives the projectors their weights; stream '{probed[0]}' must not have "
                "start: probe"
            )
        return self


class DataSection(Strict):
    """Which samples; a split may be the union of several ("train+val").

    `split_file`: splits that take the place of the manifest's own (see `emollama.split_file`).
    """

    manifest: Path
    split_file: Path | None = None
    store: Path | None = None
    train_split: str = "train"
    validation_split: str | None = "val"


class TaskSection(Strict):
    """How often a task is drawn (relative to the others) and what its loss weighs."""

    share: float = Field(default=1.0, ge=0)
    weight: float = Field(default=1.0, gt=0)


class TasksSection(Strict):
    """The tasks; a sample without a reference reason is always asked for its emotion.

    `clues`: whether prompts hold clues in words, measured or given with the corpus: in "reasons",
    "always" (an emotion is asked with them too), or "never".
    """

    emotion: TaskSection = TaskSection()
    reason: TaskSection = TaskSection(share=0.0)
    clues: Clues = "reasons"

    @model_validator(mode="after")
    def _some_task(self) -> TasksSection:
        if self.emotion.share + self.reason.share <= 0:
            raise ValueError("the shares of all tasks are 0")
        return self


class ModalityDropout(Strict):
    """Probability with which a channel is left out of an emotion question in training."""

    voice: float = Field(default=0.0, ge=0, le=1)
    face: float = Field(default=0.0, ge=0, le=1)
    words: float = Field(default=0.0, ge=0, le=1)


class TrainingSection(Strict):
    """Steps are optimizer steps; `batch_size` is the samples of one step over all processes.

    `micro_batch` is what one process holds at a time; the rest is accumulated. `pack_tokens` above
    0 packs samples into rows of at most so many tokens instead; `micro_batch` is then not used.
    `neftune_alpha` adds noise to token embeddings (Jain et al. 2023), sized by the length of the
    row, which must therefore hold one sample. `workers` lay samples out ahead of the model.
    `resume`: "auto" goes on from the newest checkpoint of this run, "never" starts anew.
    """

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
    log_every: int = Field(default=10, ge=1)
    save_every: int = Field(default=60, ge=1)
    evaluate_every: int = Field(default=0, ge=0)
    keep_best: bool = False
    gradient_checkpointing: bool = False
    deepspeed: Path | None = None
    resume: Literal["auto", "never"] = "auto"

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
            raise ValueError("neftune_alpha sizes its noise by the sample; set pack_tokens: 0")
        if self.keep_best and not self.evaluate_every:
            raise ValueError("keep_best needs evaluate_every")
        floors = max(self.min_learning_rate, self.warmup_learning_rate)
        if floors > self.learning_rate:
            raise ValueError(f"a floor of {floors:g} is above learning_rate {self.learning_rate:g}")
        if self.min_learning_rate and self.schedule != "cosine":
            raise ValueError(f"min_learning_rate is the cosine's; schedule is {self.schedule}")
        if self.warmup_learning_rate and not self.min_learning_rate:
            raise ValueError("warmup_learning_rate needs min_learning_rate")
        return self


class TrainConfig(Strict):
    """What `train.py --cfg-path` reads."""

    seed: Seed = 7
    output: Path
    data: DataSection
    model: ModelSection
    tasks: TasksSection = TasksSection()
    modality_dropout: ModalityDropout = ModalityDropout()
    training: TrainingSection


class EvalData(Strict):
    """Which samples are evaluated, and with which the classical baseline is fitted.

    `split_file`: splits that take the place of the manifest's own. `features`: where the folders of
    `npy:` streams lie for this corpus; a model remembers those that it was trained from. `fold`
    names the cross-validation fold that the predictions are of. `limit` above 0: so many samples of
    the split only, drawn by the seed, for a quick look.
    """

    manifest: Path
    split_file: Path | None = None
    store: Path | None = None
    features: Path | None = None
    split: str = "test"
    train_split: str = "train"
    validation_split: str | None = "val"
    fold: int | str | None = None
    limit: int = Field(default=0, ge=0)


class ReasonsSection(Strict):
    """Free text for the first `count` samples of the split; 0 for none."""

    count: int = Field(default=0, ge=0)
    max_new_tokens: int = Field(default=96, ge=1)


class AnswersSection(Strict):
    """How an emotion is answered: `by` "scores", the most probable label; or by "text", a greedy
    answer that `parser` reads (`emollama.evaluation.parsing`), of at most `max_new_tokens`.
    """

    by: Literal["scores", "text"] = "scores"
    parser: Literal["words", "upstream"] = "words"
    max_new_tokens: int = Field(default=16, ge=1)


class JudgeSection(Strict):
    """Who marks reasons: `model` on the OpenAI-compatible server at `url`, or a local `folder`.

    `key_env` names the environment variable that holds the server's key.
    """

    url: str | None = None
    model: str | None = None
    key_env: str | None = None
    folder: Path | None = None


class EvalConfig(Strict):
    """What `eval_emotion.py --cfg-path` reads.

    `model`: an artefact, or a released `.pth` checkpoint; `llm` and `layout` are of the latter, for
    an artefact knows its own.

    `task`: "emotion" answers every sample with a label, "reason" with an explanation, in which a
    label is looked for where the corpus has one.

    `metrics`: further ones of `emollama score --metric`, beside the report.

    `baseline_words`: a source in the store whose tracks are the baseline's words, in place of the
    language model's own states.

    `modality_report`: score "all" sets of channels, each of the "singles" and all together, or
    "none" but all together.
    """

    seed: Seed = 7
    model: Path
    llm: str | None = None
    layout: str = "emotion-llama-v1"
    output: Path
    data: EvalData
    batch_size: int = Field(default=8, ge=1)
    dtype: Precision = "auto"
    modality_report: Literal["all", "singles", "none"] = "all"
    baseline: bool = True
    baseline_words: str | None = None
    task: Literal["emotion", "reason"] = "emotion"
    answers: AnswersSection = AnswersSection()
    reasons: ReasonsSection = ReasonsSection()
    metrics: list[str] = []
    judge: JudgeSection = JudgeSection()
    metric: Literal["weighted_f1", "accuracy", "uar", "macro_f1"] = "weighted_f1"
    bootstrap: int = Field(default=1000, ge=100)


C = TypeVar("C", bound=BaseModel)


def load_config(
    schema: type[C], path: Path, overrides: Sequence[str] = (), dataset: str | None = None
) -> C:
    """Read a YAML configuration and apply `a.b=c` overrides.

    Keys of the released Emotion-LLaMA are moved to ours; `dataset` picks one of its
    `evaluation_datasets`.

    Raises:
        EmollamaError: naming the file (or the override), the key, and the nearest known key.
    """
    text = read_text(path)
    try:
        values: Any = OmegaConf.create(text)
    except (YAMLError, OmegaConfBaseException) as error:
        raise EmollamaError(f"{path}: is not YAML: {' '.join(str(error).split())}") from error
    if not OmegaConf.is_dict(values):
        raise EmollamaError(f"{path}: must hold keys and values")
    for override in overrides:
        key, separator, value = override.partition("=")
        if not separator or not key:
            raise EmollamaError(f"--options {override}: must have the form key=value")
        try:
            parsed = OmegaConf.from_dotlist([f"value={value}"])["value"]
            OmegaConf.update(values, key, parsed, force_add=True)
        except (OmegaConfBaseException, YAMLError, TypeError, ValueError, IndexError) as error:
            raise EmollamaError(f"--options {override}: {' '.join(str(error).split())}") from error
    try:
        plain = OmegaConf.to_container(values, resolve=True)
    except OmegaConfBaseException as error:
        raise EmollamaError(f"{path}: {' '.join(str(error).split())}") from error
    try:
        return schema.model_validate(_in_our_words(schema, path, plain, dataset))
    except ValidationError as error:
        raise EmollamaError(f"{path}: {_first_problem(schema, error)}") from error
    except EmollamaError as error:
        # A section that another part of the program checks, by the name that stands in it.
        raise EmollamaError(f"{path}: {error}") from error


def checked(schema: type[C], values: dict[str, Any], where: str) -> C:
    """A section whose schema is found by a name; one line beginning with `where` if it is wrong."""
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        raise EmollamaError(f"{where}: {_first_problem(schema, error)}") from error


def _in_our_words(
    schema: type[BaseModel], path: Path, plain: Any, dataset: str | None
) -> dict[str, Any]:
    """The values with the released system's keys moved to ours, what has no effect told once."""
    try:
        if schema is TrainConfig:
            world = torchrun.world_size()
            values, notes = translate_training(plain, world)
        elif schema is EvalConfig:
            values, notes = translate_evaluation(plain, dataset)
        else:
            values, notes = plain, []
    except (TypeError, ValueError, EmollamaError) as error:
        raise EmollamaError(f"{path}: {error}") from error
    if torchrun.rank() == 0:
        for note in notes:
            print(f"note: {path}: {note}", file=sys.stderr, flush=True)
    return values


def _first_problem(schema: type[BaseModel], error: ValidationError) -> str:
    """One line for the first problem, unknown keys before all else."""
    problems = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    first = problems[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        section = _section(schema, first["loc"][:-1])
        known = list(section.model_fields) if section else []
        return f"unknown key '{key}'{did_you_mean(str(first['loc'][-1]), known)}"
    if first["type"] == "missing":
        return f"key '{key}' is missing"
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"key '{key}': {message}" if key else message


def _section(schema: type[BaseModel], location: tuple[Any, ...]) -> type[BaseModel] | None:
    """The model that describes the section at `location`."""
    current: Any = schema
    for part in location:
        if isinstance(part, int) or part not in current.model_fields:
            continue  # an item of a list, or a name of the user's own
        annotation = current.model_fields[part].annotation
        for candidate in (annotation, *get_args(annotation)):
            if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                current = candidate
                break
        else:
            return None
    return current
