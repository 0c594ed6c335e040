"""The utterances that real scenes are made of: where in a clip somebody speaks, at one level."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.manifest.labels import get_label_set
from emollama.media.clip import SAMPLE_RATE
from emollama.media.decode import decode_clip
from emollama.probe.turn_taking import BREATH

LABELS = "people"
LEVEL = 0.05
"""RMS of speech, full scale 1."""

_QUIET = 10 ** (-32 / 20)  # of the loudest 20 ms: below it nobody speaks
_STEP = SAMPLE_RATE // 50
_LOUDEST = 0.98

PERSON = {"ravdess": "actor", "emodb": "speaker", "javased": "actor"}
"""The column of the shared manifest that names the person."""


@dataclass(frozen=True)
class Clip:
    """A clip of a corpus.

    Attributes:
        emotion: the common label; `native` is the corpus's own word.
        text: the words, where they are known.
    """

    name: str
    path: Path
    person: str
    emotion: str
    native: str
    text: str | None


@dataclass(frozen=True)
class Speech:
    """The sound of a clip from the first to the last word, at `LEVEL`.

    Attributes:
        sound: float32 [n] at 16 kHz.
        start: seconds in the clip at which it begins.
        spoken: start and end in seconds from there of what is said without a long pause.
    """

    clip: Clip
    sound: np.ndarray
    start: float
    spoken: tuple[tuple[float, float], ...]

    @property
    def seconds(self) -> float:
        """Length."""
        return self.sound.size / SAMPLE_RATE


def read_clips(data: Path, corpus: str, people: tuple[str, ...]) -> dict[str, list[Clip]]:
    """The clips of each person whose label is a common one; RAVDESS's calm and EMO-DB's boredom
    are left out, as they were from the training of the model that ships.

    Raises:
        EmollamaError: the corpus is not there, or has no clips of a person.
    """
    path = data / corpus / "manifest.csv"
    if not path.is_file():
        raise EmollamaError(f"{path}: there is no such file; name the folder that holds {corpus}")
    common = get_label_set(LABELS)
    found: dict[str, list[Clip]] = {person: [] for person in people}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            person, emotion = row[PERSON[corpus]], common.canonical(row["emotion"])
            if person in found and emotion is not None:
                media = path.parent / (row.get("audio") or row["video"])
                if corpus == "javased":
                    media = path.parent / row["video"]
                text = row.get("text") or row.get("statement")
                found[person].append(
                    Clip(row["name"], media, person, emotion, row["emotion"], text)
                )
    for person, clips in found.items():
        if not clips:
            raise EmollamaError(f"{path}: has no clips of person '{person}'")
    return found


def read_speech(clip: Clip) -> Speech:
    """Decode a clip's sound, cut silence off both ends and set its level."""
    sound = decode_clip(clip.path, want_video=False).audio
    assert sound is not None
    first, last = speech_span(sound)
    part = sound[first:last]
    loud = np.abs(part) > 0.02 * np.abs(part).max()
    part = part * (LEVEL / float(np.sqrt(np.mean(part[loud] ** 2))))
    return Speech(clip, _limited(part).astype(np.float32), first / SAMPLE_RATE, spoken_spans(part))


def speech_span(sound: np.ndarray) -> tuple[int, int]:
    """First and last sample, exclusive, of what is loud enough to be speech, to 20 ms."""
    loud = np.flatnonzero(_loud(sound))
    # A click beside the speech is not its beginning: two loud steps in a row are needed.
    pairs = loud[:-1][np.diff(loud) == 1] if loud.size > 1 else loud
    pairs = pairs if pairs.size else loud
    return int(pairs[0]) * _STEP, int(pairs[-1] + 2) * _STEP


def spoken_spans(sound: np.ndarray) -> tuple[tuple[float, float], ...]:
    """Start and end in seconds of stretches of speech between pauses of more than `BREATH`."""
    loud = np.flatnonzero(_loud(sound)) * _STEP / SAMPLE_RATE
    length = _STEP / SAMPLE_RATE
    breaks = np.flatnonzero(np.diff(loud) > BREATH + length)
    firsts, lasts = np.r_[0, breaks + 1], np.r_[breaks, loud.size - 1]
    return tuple(
        (float(loud[a]), float(loud[b] + length)) for a, b in zip(firsts, lasts, strict=True)
    )


def dealt(generator: np.random.Generator, clips: list[Clip]) -> Iterator[Clip]:
    """All clips in random order, again and again."""
    while True:
        for number in generator.permutation(len(clips)):
            yield clips[int(number)]


def _loud(sound: np.ndarray) -> np.ndarray:
    """Whether each 20 ms are loud enough to be speech."""
    steps = sound[: sound.size // _STEP * _STEP].reshape(-1, _STEP)
    rms = np.sqrt((steps**2).mean(axis=1))
    return np.asarray(rms > _QUIET * rms.max())


def _limited(sound: np.ndarray) -> np.ndarray:
    peak = float(np.abs(sound).max())
    return sound * (_LOUDEST / peak) if peak > _LOUDEST else sound
