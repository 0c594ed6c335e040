"""The model-independent observation of a clip: tracks, transcript and measurements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard
from warnings import warn

import numpy as np

from emollama.encoders.base import FeatureTrack
from emollama.media.languages import Language
from emollama.media.presence import LEAST_SPEECH
from emollama.media.transcript import Phrase, Transcript
from emollama.media.whispers import WHISPER

if TYPE_CHECKING:
    from emollama.fusion.data.raw_media import RawTrack

Track: TypeAlias = "FeatureTrack | RawTrack"
"""A model's input from a channel: features, or the raw medium."""


@dataclass(frozen=True)
class Peak:
    """The frame with the strongest expression.

    Attributes:
        time: seconds from the clip's start.
        image: uint8 [H, W, 3] RGB.
        box: left, top, right, bottom of the face in pixels of the image.
        expression: probability of each class of the expression network.
        faces: number of faces in it.
        others: the boxes of the other faces.
    """

    time: float
    image: np.ndarray
    box: tuple[float, float, float, float]
    expression: dict[str, float]
    faces: int = 1
    others: tuple[tuple[float, float, float, float], ...] = ()

    @property
    def boxes(self) -> list[tuple[float, float, float, float]]:
        """Of all faces, from left to right."""
        return sorted((self.box, *self.others))

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, without the picture."""
        return {
            "time": round(self.time, 3),
            "box": [round(v, 1) for v in self.box],
            "faces": self.faces,
            "expression": {k: round(v, 4) for k, v in self.expression.items()},
        }


@dataclass(frozen=True)
class Timeline:
    """Measures over time.

    Attributes:
        face_times: float [F], seconds.
        expressions: float [F, K], probabilities of `classes`; NaN where no face was found.
        classes: K names.
        voice_times: float [N], seconds.
        energy: float [N], dB re full scale.
        pitch: float [N], Hz; NaN where unvoiced.
    """

    face_times: np.ndarray
    expressions: np.ndarray
    classes: tuple[str, ...]
    voice_times: np.ndarray
    energy: np.ndarray
    pitch: np.ndarray

    @property
    def still(self) -> bool:
        """Whether it is of a single picture, where nothing has a time."""
        return not len(self.voice_times) and len(np.unique(self.face_times)) == 1

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; unknown values are None."""
        return {
            "face": {
                "times": _plain(self.face_times, 3),
                "classes": list(self.classes),
                "probabilities": [_plain(row, 4) for row in self.expressions],
            },
            "voice": {
                "times": _plain(self.voice_times, 3),
                "energy_db": _plain(self.energy, 1),
                "pitch_hz": _plain(self.pitch, 1),
            },
        }


@dataclass(frozen=True)
class Measurement:
    """A measurement in words, of one channel from `start` to `end` in seconds."""

    start: float
    end: float
    channel: str
    words: str

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "start": round(self.start, 2),
            "end": round(self.end, 2),
            "channel": self.channel,
            "words": self.words,
        }


@dataclass(frozen=True)
class Observation:
    """A decoded, encoded and described clip.

    Attributes:
        duration: seconds.
        tracks: by source, from the encoders of voice and face and the readers of raw media; None if
            the clip has no such channel.
        transcript: phrases with times; None if not transcribed.
        peak: None if no face was found.
        timeline: the measurements.
        measurements: the same in words.
        notes: remarks for the reader of an answer.
        absent: by channel that was looked for in vain, why it is absent.
        language: of the transcript; None where its transcriber knows only one.
        transcriber: the name of the transcriber.
        speech_seconds: seconds in which somebody speaks; None where nobody has listened.
        took: seconds that decoding and encoding took.
    """

    duration: float
    tracks: Mapping[str, Track | None]
    transcript: tuple[Phrase, ...] | None
    peak: Peak | None
    timeline: Timeline
    measurements: tuple[Measurement, ...] = ()
    notes: tuple[str, ...] = field(default=())
    absent: Mapping[str, str] = field(default_factory=dict)
    language: Language | None = None
    transcriber: str = WHISPER
    speech_seconds: float | None = None
    took: float = 0.0

    @property
    def told(self) -> tuple[Measurement, ...]:
        """The former name of `measurements`, removed in the next release."""
        warn("Observation.told is now measurements", DeprecationWarning, stacklevel=2)
        return self.measurements

    def with_words(self, transcript: Transcript) -> Observation:
        """The same with what is said, of an observation that had no transcript."""
        kept, notes = {k: v for k, v in self.absent.items() if k != "words"}, self.notes
        if speaks(self.speech_seconds) and not transcript.phrases:
            named = "not English" if transcript.language is None else transcript.language.name
            kept["words"] = (
                f"someone speaks for {self.speech_seconds:.1f} s, not understood "
                f"(language: {named}?)"
            )
            notes = tuple(dict.fromkeys([*notes, kept["words"]]))
        return replace(
            self, transcript=transcript.phrases, language=transcript.language, absent=kept,
            notes=notes,
        )  # fmt: skip

    def without_words(self) -> Observation:
        """The same as if nobody had written down what is said."""
        kept = dict(self.absent)
        why = kept.pop("words", None)
        if speaks(self.speech_seconds):
            kept["words"] = not_transcribed(self.speech_seconds)
        notes = tuple(note for note in self.notes if note != why)
        return replace(self, transcript=None, language=None, absent=kept, notes=notes)

    @property
    def heard(self) -> str | None:
        """The transcript as one text; None without words."""
        return " ".join(phrase.text for phrase in self.transcript or ()) or None

    @property
    def heard_by(self) -> str:
        """A remark on who transcribed, and in which language."""
        told = f", in {self.language}" if self.language is not None else ""
        return f"the words were transcribed by {self.transcriber}{told}"


def speaks(seconds: float | None) -> TypeGuard[float]:
    """Whether somebody was heard to speak."""
    return seconds is not None and seconds >= LEAST_SPEECH


def not_transcribed(seconds: float) -> str:
    """Why speech that nobody has written down has no words."""
    return f"someone speaks for {seconds:.1f} s, not transcribed"


def nothing_seen() -> Observation:
    """The observation of words alone, without a clip."""
    none = np.zeros(0)
    timeline = Timeline(none, np.zeros((0, 0)), (), none, none, none)
    return Observation(0.0, {}, None, None, timeline)


def _plain(values: np.ndarray, digits: int) -> list[float | None]:
    return [round(float(v), digits) if np.isfinite(v) else None for v in values]
