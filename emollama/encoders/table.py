"""The table of encoders, and specs such as "whisper-tiny.en+layer=2+segments=8"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from emollama.assets.models import MODELS, PublishedModel
from emollama.base.errors import EmollamaError, did_you_mean
from emollama.encoders.base import Encoder
from emollama.encoders.compute import DTYPES, Compute
from emollama.encoders.eva import EvaEncoder
from emollama.encoders.expression import ExpressionEncoder
from emollama.encoders.hf_audio import PaddedWhisperEncoder, WaveformEncoder
from emollama.encoders.hf_text import TextEncoder
from emollama.encoders.hf_vision import ImageEncoder, VideoEncoder
from emollama.encoders.prosody import ProsodyEncoder
from emollama.encoders.sentence import SentenceEncoder
from emollama.encoders.whisper import WhisperEncoder


@dataclass(frozen=True)
class Entry:
    """An entry of the table of encoders.

    Attributes:
        build: called with the options by name.
        options: a parser for each option's text; it raises ValueError on invalid text.
        about: one line for listings.
        full_size: whether `build` also takes a `compute`: device and number format.
    """

    build: Callable[..., Encoder]
    options: dict[str, Callable[[str], Any]]
    about: str
    full_size: bool = False


def _layer(text: str) -> int | str:
    return text if text == "all" else int(text)


def _full_layer(text: str) -> int | str:
    return text if text in ("last", "last4") else int(text)


_READOUT: dict[str, Callable[[str], Any]] = {"layer": _full_layer, "level": str, "segments": int}
_KINDS: dict[str, tuple[Callable[..., Encoder], dict[str, Callable[[str], Any]]]] = {
    **dict.fromkeys(
        ("hubert", "wav2vec2", "wavlm"), (WaveformEncoder, {**_READOUT, "chunk": int, "pad": str})
    ),
    "whisper": (PaddedWhisperEncoder, {**_READOUT, "pad": str, "part": str}),
    **dict.fromkeys(
        ("clip", "vit_mae", "dinov2"),
        (ImageEncoder, {**_READOUT, "crop": str, "frames": int, "tokens": str}),
    ),
    "videomae": (VideoEncoder, {**_READOUT, "crop": str}),
    "eva": (EvaEncoder, {"part": str, "frame": str}),
    **dict.fromkeys(("bert", "roberta", "sentence"), (TextEncoder, _READOUT)),
}


def _full_size(model: PublishedModel) -> Entry:
    build, options = _KINDS[model.kind]
    return Entry(partial(build, model.name), options, model.about, full_size=True)


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
    **{name: _full_size(model) for name, model in MODELS.items()},
}


def parse_encoder(spec: str, compute: Compute | None = None) -> Encoder:
    """Build the encoder described by "name+option=value+option=value".

    Args:
        spec: name and options; options left out have their defaults.
        compute: device and format of full-size encoders; CPU and float32 when None. Small encoders
            always use these.

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
            what = f"'{value}' is not a valid value" if equals else "a value is missing"
            raise EmollamaError(f"encoder '{spec}': option '{option}': {what}") from error
    if entry.full_size:
        options["compute"] = compute
    return entry.build(**options)


def encoder_of(spec: str, fingerprint: str, device: str) -> Encoder:
    """The encoder of a spec on a device, in the number format that matches a fingerprint.

    Features may have been extracted in float16 on a GPU; later clips must be encoded the same way.
    Where no format matches, the encoder uses float32.
    """
    encoders = [parse_encoder(spec, Compute(device, dtype)) for dtype in DTYPES]
    if fingerprint and ENCODERS[spec.split("+")[0]].full_size:
        for encoder in encoders:
            if encoder.fingerprint == fingerprint:
                return encoder
    return encoders[0]
