"""What an evaluation is configured by; `eval_emotion.py --cfg-path` reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from emollama.base.config import Seed, Strict
from emollama.base.precision import Precision
from emollama.llm.released.keys import translate_evaluation


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
    answer that `parser` reads (`scoring.predictions.parsing`), of at most `max_new_tokens`.
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
    metrics: list[str] = Field(default=[])
    judge: JudgeSection = JudgeSection()
    metric: Literal["weighted_f1", "accuracy", "uar", "macro_f1"] = "weighted_f1"
    bootstrap: int = Field(default=1000, ge=100)

    @classmethod
    def translated(
        cls, values: dict[str, Any], dataset: str | None
    ) -> tuple[dict[str, Any], list[str]]:
        """Keys of the released Emotion-LLaMA moved to ours; one of its data sets picked."""
        return translate_evaluation(values, dataset)
