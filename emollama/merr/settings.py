"""Settings of a build: one YAML file, checked key by key, with `a.b=c` overrides on top."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from emollama.base.config import Seed, Strict, load_config
from emollama.base.errors import EmollamaError
from emollama.media.whispers import WHISPER, Whisper

Kind = Literal["template", "local", "endpoint"]
DEFAULTS = Path(__file__).parent / "tables" / "defaults.yaml"


class FacesSection(Strict):
    """Source of facial signs.

    `openface` is a folder of `<id>.csv`, `landmarker` MediaPipe's `face_landmarker.task`; `auto`
    uses the first of the two that is set, else facial-expression features.
    """

    source: Literal["auto", "openface", "mediapipe", "expression"] = "auto"
    openface: Path | None = None
    landmarker: Path | None = None
    per_second: Annotated[float, Field(gt=0, le=60)] = 5.0
    relative: bool = True

    @property
    def backend(self) -> Literal["openface", "mediapipe", "expression"]:
        """The source that `auto` resolves to."""
        if self.source != "auto":
            return self.source
        if self.openface is not None:
            return "openface"
        return "mediapipe" if self.landmarker is not None else "expression"


class TranscriptSection(Strict):
    """Words: a CSV (`name`, `sentence`), the manifest's own texts, or Whisper.

    `auto` uses texts from the CSV or the manifest and transcribes the rest, `whisper` transcribes
    every clip, `given` none. `whisper` is the name of a Whisper or its folder; `language` the code
    of what is spoken, detected in each clip where it is None.
    """

    source: Literal["auto", "whisper", "given", "none"] = "auto"
    file: Path | None = None
    whisper: str = WHISPER
    language: str | None = None

    @property
    def chosen(self) -> Whisper:
        """The transcriber.

        Raises:
            EmollamaError: it is none, or does not know the language.
        """
        try:
            return Whisper(self.whisper, self.language)
        except EmollamaError as error:
            raise EmollamaError(f"transcript: {error}") from error


class EvidenceSection(Strict):
    """Weight of each channel's label in the final one; 0 leaves a channel out.

    `features` is a store with features of these clips: the final label then also heeds the clips
    of other people that look and sound alike.
    """

    face: Annotated[float, Field(ge=0)] = 1.0
    voice: Annotated[float, Field(ge=0)] = 1.0
    words: Annotated[float, Field(ge=0)] = 1.0
    sentences: str = "all-minilm-l6-v2"
    features: Path | None = None


class ModelSection(Strict):
    """The writer of a text: a template, a local transformers model or an OpenAI-compatible
    endpoint.

    `model` is the local folder or asset, or the model's name at `url`. `key_env` names the
    environment variable that holds the key. `body` extends or replaces our fields of a request;
    null removes one. Prices are per million tokens, in any currency.
    """

    kind: Kind = "template"
    model: str = ""
    url: str = ""
    key_env: str | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    max_tokens: Annotated[int, Field(ge=16, le=8192)] = 256
    body: dict[str, Any] = Field(default={})
    concurrency: Annotated[int, Field(ge=1, le=256)] = 8
    timeout: Annotated[float, Field(gt=0)] = 120.0
    retries: Annotated[int, Field(ge=0, le=20)] = 5
    pause: Annotated[float, Field(ge=0)] = 1.0
    batch: Annotated[int, Field(ge=1, le=64)] = 8
    price_in: Annotated[float, Field(ge=0)] = 0.0
    price_out: Annotated[float, Field(ge=0)] = 0.0


class SelectSection(Strict):
    """Selection of clips: near-duplicates, balance of labels, share of neutral clips."""

    duplicates: Annotated[float, Field(gt=0, le=1)] = 0.9
    most_of_a_label: Annotated[int, Field(ge=0)] = 0
    neutral: Annotated[float, Field(ge=0, le=1)] = 0.2
    validation: Annotated[int, Field(ge=0)] = 10


class Settings(Strict):
    """All settings; docs/merr.md explains each key."""

    labels: str = "merr"
    rules: str = "emfacs"
    seed: Seed = 0
    workers: Annotated[int, Field(ge=0)] = 0
    longest: Annotated[float, Field(gt=0)] = 60.0
    shortest: Annotated[float, Field(ge=0)] = 0.5
    clip_seconds: Annotated[float, Field(gt=0)] = 300.0
    retry_failed: bool = False
    speakers: Path | None = None
    source_terms: str = "not stated"
    faces: FacesSection = FacesSection()
    transcript: TranscriptSection = TranscriptSection()
    evidence: EvidenceSection = EvidenceSection()
    visual: ModelSection = ModelSection()
    tone: ModelSection = ModelSection()
    refine: ModelSection = ModelSection()
    select: SelectSection = SelectSection()

    def to_dict(self) -> dict[str, Any]:
        """Plain values for records; they never hold an API key, only its variable's name."""
        return self.model_dump(mode="json")


def load_settings(path: Path | None, overrides: Sequence[str] = ()) -> Settings:
    """Read settings; without a file the defaults.

    Raises:
        EmollamaError: naming the file or override, the key, and the nearest known key.
    """
    return load_config(Settings, path or DEFAULTS, overrides)
