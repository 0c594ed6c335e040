"""The cast: voices, faces and sentences, each in exactly one split.

A model must not do well on the test split by knowing a voice, a face or a sentence, so the three
are assigned to the splits here, the same for every seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

import numpy as np

from emollama.base.errors import require_known
from emollama.probe.emotions import EMOTIONS

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

FACES: dict[Split, range] = {"train": range(0, 48), "val": range(48, 54), "test": range(54, 72)}
"""Numbers of the identities; `identity.make_identity` turns one into a person."""

SENTENCES: dict[Split, range] = {"train": range(0, 26), "val": range(26, 30), "test": range(30, 40)}
"""Positions in each emotion's list of forty sentences."""


@dataclass(frozen=True)
class Voice:
    """An espeak-ng voice with its neutral way of speaking.

    Attributes:
        voice_id: what the manifest calls it.
        name: espeak-ng's name: language and variant.
        pitch: neutral pitch parameter, 0..99.
        rate: neutral words a minute.
        range: neutral melody range parameter, 0..99.
    """

    voice_id: str
    name: str
    pitch: int
    rate: int
    range: int


def _voice(name: str, pitch: int, rate: int, melody: int) -> Voice:
    return Voice(name.replace("en-", ""), name, pitch, rate, melody)


VOICES: dict[Split, tuple[Voice, ...]] = {
    "train": (
        _voice("en-us+f1", 42, 172, 48), _voice("en-gb-x-rp+Annie", 38, 168, 40),
        _voice("en-us+grandma", 38, 164, 40), _voice("en-us+steph", 36, 170, 46),
        _voice("en-us+Andrea", 34, 150, 50), _voice("en-us+shelby", 40, 168, 44),
        _voice("en-us+m1", 44, 170, 48), _voice("en+m3", 40, 164, 44),
        _voice("en-us+m5", 46, 176, 50), _voice("en-us+m7", 42, 168, 46),
        _voice("en+ed", 40, 172, 44), _voice("en-us+Mike", 44, 166, 50),
        _voice("en-us+antonio", 38, 150, 46), _voice("en+Gene2", 40, 170, 48),
        _voice("en-us+pablo", 42, 174, 44), _voice("en-gb-x-rp+norbert", 42, 168, 46),
        _voice("en-us+travis", 44, 172, 42),
    ),
    "val": (
        _voice("en-us+anika", 36, 150, 46), _voice("en-gb-x-rp+m2", 44, 168, 48),
        _voice("en-us+quincy", 42, 172, 46),
    ),
    "test": (
        _voice("en-us+f4", 40, 172, 46), _voice("en-gb-x-rp+aunty", 38, 168, 48),
        _voice("en-us+belinda", 34, 168, 44), _voice("en+m6", 44, 166, 46),
        _voice("en-us+edward", 42, 170, 48), _voice("en-us+Denis", 42, 174, 48),
        _voice("en-us+pedro", 42, 150, 46), _voice("en-us+Andy", 44, 168, 44),
    ),
}  # fmt: skip
"""Variants with a breath setting are left out: espeak-ng's breath differs from run to run."""


@dataclass(frozen=True)
class Sentence:
    """A sentence of known sentiment."""

    sentence_id: str
    emotion: str
    text: str


@cache
def sentences(emotion: str, split: Split) -> tuple[Sentence, ...]:
    """The sentences of one emotion that belong to a split, in the order of the data file."""
    require_known("split", split, SENTENCES)
    path = files("emollama.probe") / "sentences" / f"{emotion}.txt"
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(Sentence(f"{emotion}-{n:02d}", emotion, lines[n]) for n in SENTENCES[split])


@dataclass(frozen=True)
class Casting:
    """The voice, face and sentence of one clip."""

    voice: Voice
    face: int
    sentence: Sentence


def cast_clip(generator: np.random.Generator, split: Split, words: str) -> Casting:
    """Draw a voice, a face and a sentence of sentiment `words`, all from `split`."""
    require_known("split", split, SENTENCES)
    if words not in EMOTIONS:
        raise ValueError(f"no sentences for '{words}'")
    voices, lines, faces = VOICES[split], sentences(words, split), FACES[split]
    return Casting(
        voices[int(generator.integers(len(voices)))],
        faces[int(generator.integers(len(faces)))],
        lines[int(generator.integers(len(lines)))],
    )
