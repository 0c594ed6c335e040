"""The table of encoders, and specs such as "whisper-tiny.en+layer=2+segments=8"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from emollama.encoders.base import Encoder
from emollama.encoders.expression import ExpressionEncoder
from emollama.encoders.prosody import ProsodyEncoder
from emollama.encoders.sentence import SentenceEncoder
from emollama.encoders.whisper import WhisperEncoder
from emollama.errors import EmollamaError, did_you_mean


@dataclass(frozen=True)
class Entry:
    """How an encoder is made.

    Attributes:
        build: takes the options by name.
        options: how each option's text is read; the reader raises ValueError on nonsense.
        about: one line for a listing.
    """

    build: Callable[..., Encoder]
    options: dict[str, Callable[[str], Any]]
    about: str


def _layer(text: str) -> int | str:
    return text if text == "all" else int(text)


ENCODERS: dict[str, Entry] = {
    "whisper-tiny.en": Entry(
        partial(WhisperEncoder, "whisper-tiny.en"),
        {"layer": _layer, "segments": int},
        "voice: hidden states of Whisper tiny.en, mean and deviation of equal segments",
    ),
    "prosody": Entry(
        ProsodyEncoder, {"segments": int}, "voice: pitch, energy, rate and pauses, in named columns"
    ),
    "expression": Entry(
        ExpressionEncoder,
        {"frames": int},
        "face: mini-XCEPTION's classes and maps on the faces that MTCNN finds",
    ),
    "smollm2-135m-instruct": Entry(
        partial(SentenceEncoder, "smollm2-135m-instruct"),
        {},
        "words: mean of the last hidden states over the subtitle, before any tuning",
    ),
}


def parse_encoder(spec: str) -> Encoder:
    """The encoder that "name+option=value+option=value" describes.

    Raises:
        EmollamaError: unknown name or option, with the nearest known one; a value out of range.
    """
    name, *rest = spec.strip().split("+")
    if name not in ENCODERS:
        raise EmollamaError(f"encoder '{name}' is unknown{did_you_mean(name, ENCODERS)}")
    entry = ENCODERS[name]
    options: dict[str, Any] = {}
    for item in rest:
        option, equals, value = item.partition("=")
        if option not in entry.options:
            hint = did_you_mean(option, entry.options) if entry.options else "; it has none"
            raise EmollamaError(f"encoder '{spec}': option '{option}' is unknown{hint}")
        if option in options:
            raise EmollamaError(f"encoder '{spec}': option '{option}' is given twice")
        try:
            options[option] = entry.options[option](value)
        except ValueError as error:
            what = f"'{value}' is no value" if equals else "a value is missing"
            raise EmollamaError(f"encoder '{spec}': option '{option}': {what}") from error
    return entry.build(**options)
