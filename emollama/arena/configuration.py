"""Configuration of `emollama arena`: clips, contestants, and what everybody is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from emollama.base.config import Seed, Strict
from emollama.base.precision import Precision
from emollama.scoring.metrics.bootstrap import RESAMPLES, By

Sends = Literal["video", "frames+sound", "clues"]
Form = Literal["text", "label", "scores"]
Ablation = Literal["mute", "blank", "wordless"]
PROMPTS = {
    "plain": "Which emotion does this person show? Answer with one of these words: {labels}.",
    "feel": "How does the person in this clip feel? Choose one of: {labels}. Write that word only.",
    "label": "Label the emotion that is expressed here. The labels are: {labels}. The label is:",
}
LABELS = "{labels}"


class ArenaData(Strict):
    """The clips: those of a split that have an emotion; `limit` above 0 draws so many by the seed.

    `map` translates labels of the manifest for everybody; null leaves the clips of a label out.
    """

    manifest: Path
    split_file: Path | None = None
    split: str = "test"
    limit: int = Field(default=0, ge=0)
    map: dict[str, str | None] = Field(default={})


class Contestant(Strict):
    """Who answers: an artefact of ours, or an endpoint with OpenAI's chat completions.

    `sends`: what an endpoint gets of a clip. `words`: how it is told what is said, where the
    manifest knows: in the prompt, in the field `text` of the request (as our own server takes it),
    or not at all. `answers`: the form that is asked for; "auto" is "scores" of an artefact and
    "text" of an endpoint. `measured_by` is the artefact whose clues are sent.
    """

    artefact: Path | None = None
    dtype: Precision = "auto"
    url: str | None = None
    model: str | None = None
    key_env: str | None = None
    sends: Sends = "video"
    frames: int = Field(default=6, ge=1, le=64)
    measured_by: Path | None = None
    words: Literal["prompt", "field", "none"] = "prompt"
    answers: Literal["auto", "text", "label", "scores"] = "auto"
    max_tokens: int = Field(default=64, ge=1)
    body: dict[str, Any] = Field(default={})
    concurrency: int = Field(default=4, ge=1, le=256)
    timeout: float = Field(default=120.0, gt=0)
    retries: int = Field(default=4, ge=0)
    pause: float = Field(default=1.0, ge=0)

    @model_validator(mode="after")
    def _one_kind(self) -> Contestant:
        if (self.artefact is None) == (self.url is None):
            raise ValueError("give 'artefact' or 'url', one of the two")
        if self.url is not None and "dtype" in self.model_fields_set:
            raise ValueError("'dtype' is of an artefact; an endpoint has none")
        if self.url is not None and not self.model:
            raise ValueError("a url also needs 'model', the model's name on that server")
        if self.artefact is not None:
            mine = {"artefact", "dtype", "answers", "max_tokens"}
            if other := sorted(self.model_fields_set - mine):
                raise ValueError(f"'{other[0]}' is of an endpoint; an artefact has none")
            if self.answers == "label":
                raise ValueError("answers: an artefact gives 'scores' or 'text'")
        if self.measured_by is not None and self.sends != "clues":
            raise ValueError("measured_by goes with sends: clues")
        return self

    @property
    def form(self) -> Form:
        """The form of its answers."""
        if self.answers != "auto":
            return self.answers
        return "text" if self.artefact is None else "scores"


class ArenaConfig(Strict):
    """An arena.

    Every clip is asked about once with the first of `prompts` and the first of `orders`; then again
    with one thing changed: another prompt, another order of the labels, or an ablation. So a
    contestant answers prompts + orders - 1 + ablations questions a clip. `by` and `bootstrap` are
    of the intervals.
    """

    output: Path
    seed: Seed = 0
    data: ArenaData
    contestants: dict[str, Contestant] = Field(min_length=1)
    prompts: dict[str, str] = Field(default={})
    orders: int = Field(default=4, ge=1, le=24)
    ablations: list[Ablation] = Field(default=["mute", "blank", "wordless"])
    by: By = "sample"
    bootstrap: int = Field(default=RESAMPLES, ge=100)

    @property
    def wordings(self) -> dict[str, str]:
        """The prompts by name; `PROMPTS` where none are given."""
        return self.prompts or PROMPTS

    @field_validator("prompts")
    @classmethod
    def _name_the_labels(cls, prompts: dict[str, str]) -> dict[str, str]:
        for name, text in prompts.items():
            if text.count(LABELS) != 1:
                raise ValueError(f"'{name}' must hold {LABELS} once, where the labels go")
        return prompts

    @model_validator(mode="after")
    def _distinct(self) -> ArenaConfig:
        if len(set(self.ablations)) != len(self.ablations):
            raise ValueError("ablations: one occurs twice")
        for name in self.contestants:
            if not name.strip() or len(name) > 60 or not name.isprintable():
                raise ValueError(f"contestants: '{name[:60]}': use 1 to 60 printable characters")
        return self
