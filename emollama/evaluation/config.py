"""Configuration of an evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer

from emollama.base.config import Seed, Strict, without_unused
from emollama.base.precision import Precision, Quantisation
from emollama.llm.released.keys import translate_evaluation
from emollama.manifest.channels import Channel


class EvalData(Strict):
    """The samples to evaluate, and the samples to fit the classical baseline on.

    `split_file` replaces the manifest's own splits. `features`: folder with the `npy:` folders of
    this corpus; by default those of training. `fold` names the cross-validation fold of the
    predictions. `limit` above 0: only this many samples of the split, drawn by the seed, for a
    quick look. `map` translates the corpus's labels into the model's, `lacks` are channels that are
    not read; both are known from the training record where the model was trained on several
    corpora.

    `enrol` says how many of their own unlabelled clips the tested people are known by, for a model
    trained with `standardise: person`: "none", "all" clips of the split (transductive: those to be
    answered included), or so many drawn clips, which are not answered themselves.
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
    map: dict[str, str | None] | None = None
    lacks: list[Channel] | None = None
    enrol: Literal["none", "all"] | Annotated[int, Field(ge=1)] = "none"

    @model_serializer(mode="wrap")
    def _as_given(self, values: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what is not given and changes no answer then."""
        return without_unused(values(self), {"map": None, "lacks": None, "enrol": "none"})


class ReasonsSection(Strict):
    """Generated reasons for the first `count` samples of the split; 0 for none.

    `without_clues`: where prompts hold the measured clues, ask for every reason without them, too,
    to compare.
    """

    count: int = Field(default=0, ge=0)
    max_new_tokens: int = Field(default=96, ge=1)
    without_clues: bool = True


class AnswersSection(Strict):
    """How the emotion is answered: `by` "scores", the most probable label; or by "text", a greedy
    answer parsed by `parser` (`scoring.predictions.parsing`), of at most `max_new_tokens`.

    `question`: ask what the released Emotion-LLaMA asks on this corpus, in its layouts; other
    layouts ask their own.
    """

    by: Literal["scores", "text"] = "scores"
    parser: Literal["words", "upstream", "exact"] = "words"
    max_new_tokens: int = Field(default=16, ge=1)
    question: Literal["mer2024"] | None = None

    @model_serializer(mode="wrap")
    def _as_given(self, values: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without a question that is not given, which changes no answer."""
        return without_unused(values(self), {"question": None})


class JudgeSection(Strict):
    """The judge of reasons: `model` on the OpenAI-compatible server at `url`, or a local `folder`.

    `key_env` names the environment variable that holds the server's key.
    """

    url: str | None = None
    model: str | None = None
    key_env: str | None = None
    folder: Path | None = None


class EvalConfig(Strict):
    """Configuration of `emollama evaluate`.

    `model`: an artefact, or a released `.pth` checkpoint; `llm` and `layout` are for the latter; an
    artefact has its own.

    `engine`: address of a vLLM server on this machine that writes reasons and other text.

    `task`: "emotion" answers every sample with a label, "reason" with an explanation, from which a
    label is parsed if the corpus has one, "describe" with a list of words of any vocabulary.

    `quantise`: hold the frozen language model in "8bit" or "4bit", or "none"; as in training where
    it is not given.

    `wheel`: folder of the emotion-wheel tables, which lists of words are scored by.

    `metrics`: further metrics of `emollama score --metric`, besides the report.

    `baseline_words`: a source in the store whose tracks replace the language model's states as the
    baseline's words.

    `modality_report`: score "all" sets of channels, "singles" (each channel and all together), or
    "none" (all together only).
    """

    seed: Seed = 7
    model: Path
    llm: str | None = None
    layout: str = "emotion-llama-v1"
    output: Path
    data: EvalData
    batch_size: int = Field(default=8, ge=1)
    dtype: Precision = "auto"
    quantise: Quantisation | None = None
    engine: str | None = None
    modality_report: Literal["all", "singles", "none"] = "all"
    baseline: bool = True
    baseline_words: str | None = None
    task: Literal["emotion", "reason", "describe"] = "emotion"
    answers: AnswersSection = AnswersSection()
    reasons: ReasonsSection = ReasonsSection()
    metrics: list[str] = Field(default=[])
    wheel: Path | None = None
    judge: JudgeSection = JudgeSection()
    metric: Literal["weighted_f1", "accuracy", "uar", "macro_f1"] = "weighted_f1"
    bootstrap: int = Field(default=1000, ge=100)

    @field_validator("task", mode="before")
    @classmethod
    def _former_task(cls, value: Any) -> Any:
        """`describe` was called `words`."""
        return "describe" if value == "words" else value

    @model_serializer(mode="wrap")
    def _as_given(self, values: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what is not given, so that earlier evaluations are gone on with."""
        return without_unused(values(self), {"wheel": None, "quantise": None, "engine": None})

    @classmethod
    def translated(
        cls, values: dict[str, Any], dataset: str | None
    ) -> tuple[dict[str, Any], list[str]]:
        """Translate keys of the released Emotion-LLaMA; choose one of its data sets."""
        return translate_evaluation(values, dataset)
