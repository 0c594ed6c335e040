"""Which Whisper transcribes, and in which language: a choice that is checked at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from emollama.assets.models import MODELS, MULTILINGUAL
from emollama.base.errors import EmollamaError, did_you_mean
from emollama.base.files import read_json
from emollama.media.languages import need_language

WHISPER = "whisper-tiny.en"
"""The embedded transcriber, which knows English."""

NAMES = (WHISPER, *(name for name, model in MODELS.items() if model.kind == "whisper"))

_CONFIG = "config.json"

TranscriberName = Annotated[
    str,
    typer.Option(
        "--transcriber", metavar="NAME",
        help="Whisper that transcribes: its name (whisper-base: many languages), or its folder.",
    ),
]  # fmt: skip
LanguageCode = Annotated[
    str | None,
    typer.Option(
        "--language", metavar="CODE", show_default="detected",
        help="Language that is spoken, e.g. de; needs a multilingual transcriber.",
    ),
]  # fmt: skip


@dataclass(frozen=True)
class Whisper:
    """The transcriber that was chosen.

    Attributes:
        name: one of `NAMES`, or a folder with a Whisper in the transformers format.
        language: a code of `LANGUAGES`; None to detect it.

    Raises:
        EmollamaError: neither a name nor a folder of a Whisper, an unknown code, or another
            language than English of a transcriber that knows only English.
    """

    name: str = WHISPER
    language: str | None = None

    def __post_init__(self) -> None:
        if self.language is not None:
            need_language(self.language)
        english = self.name == WHISPER
        if self.name not in NAMES:
            english = not knows_languages(_own_folder(self.name))
        if english and self.language not in (None, "en"):
            raise EmollamaError(
                f"language '{self.language}': transcriber {self.title} knows only English; "
                "whisper-base knows others"
            )

    @property
    def embedded(self) -> bool:
        """Whether nothing was chosen."""
        return self == Whisper()

    @property
    def title(self) -> str:
        """The name, without the folders that a folder is in."""
        return self.name if self.name in NAMES else Path(self.name).expanduser().resolve().name

    def folder(self, progress: Callable[[str], None] | None = None) -> Path:
        """The folder of its weights, which are fetched where they can be.

        Raises:
            EmollamaError: they are not here and cannot be fetched.
        """
        from emollama.assets import fetch
        from emollama.assets.folders import model_folder

        if self.name == WHISPER:
            return fetch(WHISPER, progress)
        if self.name in NAMES:
            return model_folder(self.name, progress)
        return _own_folder(self.name)

    def fingerprint(self) -> str:
        """Changes with weights, tokenizer and language."""
        from emollama.assets.folders import folder_hash

        return f"{folder_hash(self.folder())}:{self.language}"


def chosen(name: str, language: str | None, transcribe: bool = True) -> Whisper:
    """The transcriber that options name.

    Raises:
        EmollamaError: as `Whisper`; or one is named though nothing is transcribed.
    """
    whisper = Whisper(name, language)
    if not transcribe and not whisper.embedded:
        raise EmollamaError("--no-transcribe leaves nothing to --transcriber and --language")
    return whisper


def knows_languages(folder: Path) -> bool:
    """Whether the Whisper in a folder knows more than English, as its own files say."""
    path = folder / "generation_config.json"
    settings: Any = read_json(path) if path.is_file() else {}
    config: Any = read_json(folder / _CONFIG)
    if isinstance(settings, dict) and "is_multilingual" in settings:
        return bool(settings["is_multilingual"])
    size = config.get("vocab_size") if isinstance(config, dict) else None
    return isinstance(size, int) and size >= MULTILINGUAL


def _own_folder(name: str) -> Path:
    folder = Path(name).expanduser()
    if not (folder / _CONFIG).is_file():
        what = (
            f"is a folder without {_CONFIG}"
            if folder.is_dir()
            else "is neither a name nor a folder"
        )
        raise EmollamaError(f"transcriber '{name}': {what}{did_you_mean(name, NAMES)}")
    config: Any = read_json(folder / _CONFIG)
    found = config.get("model_type") if isinstance(config, dict) else None
    if found != "whisper":
        raise EmollamaError(
            f"{folder / _CONFIG}: model_type is '{found}', a transcriber needs 'whisper' "
            "(transformers format)"
        )
    if not any(folder.glob("*.safetensors")):
        raise EmollamaError(
            f"{folder}: holds no *.safetensors weights; save the Whisper with safetensors first"
        )
    return folder
