"""What a recording is taken apart into: tracks, turns, words, people, segments and timelines.

Times are seconds from the recording's beginning. Boxes are left, top, right, bottom as shares of
the upright picture's width and height.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from emollama.media.cutting import Box as Box
from emollama.media.languages import Language
from emollama.scoring.reasons.check import Origin

FACE_RATE = 5.0
"""Frames a second that are searched for faces; also the rate of a `Timeline`."""
LIP_RATE = 12.5
"""Mouth crops a second that lip motion is measured on."""

_LONGEST = 200  # bytes of an id, which names files
_LONGEST_NAME = 150  # bytes of a recording's name in ids, as far as the person's name leaves room


@dataclass(frozen=True)
class FaceTrack:
    """One face followed through one shot.

    Attributes:
        times: float64 [N], about `FACE_RATE` a second.
        boxes: float32 [N, 4], shares of the picture.
        scores: float32 [N], the detector's certainty.
        expressions: float32 [N, 7], probabilities of `mini-xception`'s classes.
        lip_times: float64 [M], about `LIP_RATE` a second.
        lips: float32 [M], how much the mouth moves, comparable within a track; NaN where unknown.
        appearance: float32 [D], tells people of one recording apart. Personal: never written unless
            the user keeps vectors.
    """

    times: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    expressions: np.ndarray
    lip_times: np.ndarray
    lips: np.ndarray
    appearance: np.ndarray

    @property
    def start(self) -> float:
        """Seconds."""
        return float(self.times[0])

    @property
    def end(self) -> float:
        """Seconds; half a step behind the last frame."""
        return float(self.times[-1]) + 0.5 / FACE_RATE


@dataclass(frozen=True)
class Turn:
    """A stretch of speech of one person; turns of several people may overlap.

    `speaker` is the person's name: "A", "B", ... in the order in which they first appear.
    """

    start: float
    end: float
    speaker: str


@dataclass(frozen=True)
class Word:
    """One spoken word with its times, punctuation attached."""

    start: float
    end: float
    text: str


@dataclass(frozen=True)
class Person:
    """Somebody who is seen or heard in this recording.

    Attributes:
        name: "A", "B", ... in the order in which they first appear.
        tracks: face tracks that show them, sorted by time; none of somebody only heard.
        heard: whether any turn is theirs.
    """

    name: str
    tracks: tuple[FaceTrack, ...]
    heard: bool


@dataclass(frozen=True)
class Segment:
    """A span of one person of 1 to 15 s that ends at a pause, a turn or a cut.

    Attributes:
        id: "<stem of the recording>-<person>-<start in hundredths of a second, 7 digits>".
        person: a `Person.name`.
        start: seconds.
        end: seconds.
        spoken: seconds in it in which this person speaks; 0 where they listen.
        view: the part of the picture around their face; None where they are not seen.
        words: what this person says in it.
        face: share of the segment's picture times in which their face is found.
    """

    id: str
    person: str
    start: float
    end: float
    spoken: float
    view: Box | None = None
    words: tuple[Word, ...] = ()
    face: float = 0.0

    @property
    def text(self) -> str | None:
        """The words as a line; None without any."""
        return " ".join(word.text for word in self.words) or None


def segment_id(recording: str, person: str, start: float) -> str:
    """The id of a person's segment that begins at `start` seconds; see `Segment`.

    Of a recording's name that no id may hold, as it is long or not printable, what may be is kept,
    with a mark that is another for another name.
    """
    rest = f"-{person}-{round(start * 100):07d}"
    mark = "-" + hashlib.sha256(recording.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    most = min(_LONGEST_NAME, _LONGEST - len(mark) - len(rest.encode()))
    printable = "".join(c if c.isprintable() else "_" for c in recording)
    name = printable.encode()[:most].decode(errors="ignore")
    return f"{name}{mark if name != recording else ''}{rest}"


@dataclass(frozen=True)
class SegmentAnswer:
    """What the model answers about a segment.

    Attributes:
        label: the most probable label, measured against the person's norm where the model does.
        scores: probabilities by label.
        label_set: labels that hold the true one at the asked coverage; None if none was asked.
        without_norm: probabilities measured against the training corpus; None where no norm is
            used.
        by_channel: probabilities by label of each channel alone ("voice", "face", "words").
        reason: free text; None if none was asked.
        reason_from: "model", "clues" (sentences over what was measured), or "both".
        clues: measured words by channel, relative to `compared_with`.
        notes: remarks.
        error: why there is no answer; then `label` is None and `scores` empty. Both are so without
            an error where a person listens and the model reads no face, which a remark tells.
    """

    label: str | None
    scores: dict[str, float]
    label_set: tuple[str, ...] | None = None
    without_norm: dict[str, float] | None = None
    by_channel: dict[str, dict[str, float]] = field(default_factory=dict)
    reason: str | None = None
    clues: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    reason_from: Origin | None = None
    compared_with: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Timeline:
    """A person over time, `FACE_RATE` rows a second from the recording's start.

    Attributes:
        times: float64 [N].
        expressions: float32 [N, 7] by `mini-xception`'s classes; NaN where the face is not seen.
        speaking: bool [N].
        loudness: float32 [N], dB re full scale; NaN where the person does not speak.
        pitch: float32 [N], Hz; NaN where nothing is voiced or the person does not speak.
        values: float32 [N] by name ("valence", "arousal") where a model of them is given.
    """

    times: np.ndarray
    expressions: np.ndarray
    speaking: np.ndarray
    loudness: np.ndarray
    pitch: np.ndarray
    values: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Analysis:
    """Everything that is known of a recording; what the exports and the report are made from.

    Attributes:
        recording: the media file.
        duration: seconds that were read.
        size: width and height of the upright picture in pixels; None without a picture.
        people: in the order of their names.
        turns: sorted by start.
        cuts: times of shot changes.
        segments: sorted by start, then person.
        answers: one for each segment, in the same order.
        timelines: by person.
        labels: of the model.
        model: its name.
        language: of the words; None where the transcriber knows only one, or nobody speaks.
        coverage: that was asked for.
        notes: remarks about the whole recording (broken off, no speech, words left out, ...).
    """

    recording: Path
    duration: float
    size: tuple[int, int] | None
    people: tuple[Person, ...]
    turns: tuple[Turn, ...]
    cuts: tuple[float, ...]
    segments: tuple[Segment, ...]
    answers: tuple[SegmentAnswer, ...]
    timelines: dict[str, Timeline]
    labels: tuple[str, ...]
    model: str
    language: Language | None = None
    coverage: float | None = None
    notes: tuple[str, ...] = ()


def clock(time: float) -> str:
    """A time of a recording for people: 1:02:03, or 2:03 below an hour."""
    minutes, seconds = divmod(int(time), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
