"""The truth of a scene: who speaks when, who is seen where, and which emotion is shown.

A scene is a recording of several people. `NAME.truth.json` beside it holds its `SceneTruth`; times
are seconds from the beginning, boxes left, top, right, bottom as shares of the picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.base.files import read_json, write_json
from emollama.manifest.sample import Sample, Targets

SUFFIX = ".truth.json"
VERSION = 1

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class TrueTurn:
    """A stretch of one person's speech; its pauses are at most `turn_taking.BREATH`."""

    start: float
    end: float
    person: str


@dataclass(frozen=True)
class TrueSegment:
    """One utterance.

    Attributes:
        start, end: from the first to the last word.
        person: one of the scene's people.
        emotion: a label of the scene's set.
        native: the corpus's own word for it.
        clip: what was played: a clip of the corpus, or a sentence.
        channels: the emotion that each channel shows ("voice", "face", "words"); a channel that
            shows nothing is left out.
        text: the words, where they are known.
    """

    start: float
    end: float
    person: str
    emotion: str
    native: str
    clip: str
    channels: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None


@dataclass(frozen=True)
class Shown:
    """A stretch in which a part of the picture shows this person's face, and nobody else's."""

    start: float
    end: float
    person: str
    box: Box


@dataclass(frozen=True)
class SceneTruth:
    """The truth of one scene.

    Attributes:
        media: name of the file beside the truth.
        source: "ravdess", "emodb", "javased" or "probe".
        layout: "sound", "side by side" or "cut".
        duration: seconds.
        people: ids, in the order in which they first speak.
        labels: name of the label set that `TrueSegment.emotion` is from.
        turns: sorted by start.
        segments: sorted by start.
        cuts: times at which the whole picture changes.
        shown: where each person is seen; empty without a picture.
    """

    media: str
    source: str
    layout: str
    duration: float
    people: tuple[str, ...]
    labels: str
    turns: tuple[TrueTurn, ...]
    segments: tuple[TrueSegment, ...]
    cuts: tuple[float, ...] = ()
    shown: tuple[Shown, ...] = ()

    @property
    def name(self) -> str:
        """The stem of the file."""
        return Path(self.media).stem


def truth_path(media: Path) -> Path:
    """The path of the truth of a scene."""
    return media.with_name(media.stem + SUFFIX)


def truth_row(truth: SceneTruth) -> dict[str, Any]:
    """A truth as plain data, numbers to a thousandth."""
    return {"version": VERSION, **_rounded(asdict(truth))}


def truth_of(row: Mapping[str, Any], where: str) -> SceneTruth:
    """The truth of `truth_row`.

    Raises:
        EmollamaError: it is none; the message begins with `where`.
    """
    content = dict(row)
    if content.pop("version", None) != VERSION:
        raise EmollamaError(f"{where}: is not the truth of a scene, version {VERSION}")
    try:
        content["turns"] = tuple(TrueTurn(**turn) for turn in content["turns"])
        content["segments"] = tuple(TrueSegment(**segment) for segment in content["segments"])
        shown = ({**part, "box": tuple(part["box"])} for part in content["shown"])
        content["shown"] = tuple(Shown(**part) for part in shown)
        content["people"], content["cuts"] = tuple(content["people"]), tuple(content["cuts"])
        return SceneTruth(**content)
    except (KeyError, TypeError) as error:
        raise EmollamaError(f"{where}: is not the truth of a scene: {error}") from None


def write_truth(media: Path, truth: SceneTruth) -> None:
    """Write the truth beside its scene."""
    write_json(truth_path(media), truth_row(truth))


def read_truth(path: Path) -> SceneTruth:
    """Read a truth file.

    Raises:
        EmollamaError: the file cannot be read, or is not the truth of a scene.
    """
    content = read_json(path)
    return truth_of(content if isinstance(content, dict) else {}, str(path))


def read_truths(folder: Path) -> list[SceneTruth]:
    """The truths of all scenes in a folder, sorted by name.

    Raises:
        EmollamaError: the folder holds none, or one cannot be read.
    """
    paths = sorted(folder.glob(f"*{SUFFIX}"))
    if not paths:
        raise EmollamaError(f"{folder}: holds no scenes (NAME{SUFFIX} beside NAME.mp4 or .flac)")
    return [read_truth(path) for path in paths]


def joined_turns(spoken: Sequence[TrueTurn], longest: float) -> tuple[TrueTurn, ...]:
    """Stretches of one person that follow each other after at most `longest` seconds, as turns."""
    turns: dict[str, list[TrueTurn]] = {}
    for part in sorted(spoken, key=lambda turn: turn.start):
        own = turns.setdefault(part.person, [])
        if own and part.start - own[-1].end <= longest:
            last = own.pop()
            part = TrueTurn(last.start, max(last.end, part.end), part.person)
        own.append(part)
    return tuple(sorted((turn for own in turns.values() for turn in own), key=lambda t: t.start))


def view_samples(truth: SceneTruth, media: str, split: str | None = None) -> list[Sample]:
    """The utterances as samples: span, view and person are the true ones.

    Args:
        truth: of the scene.
        media: its path as the manifest names it.
        split: of all samples.
    """
    samples = []
    for segment in truth.segments:
        number = truth.people.index(segment.person)
        samples.append(
            Sample(
                id=f"{truth.name}-{number}-{round(segment.start * 100):07d}",
                video=media if truth.shown else None,
                audio=None if truth.shown else media,
                view=view_of(truth, segment),
                start=round(segment.start, 3),
                end=round(segment.end, 3),
                text=segment.text,
                speaker=f"{truth.name}-{segment.person}",
                group=segment.person,
                split=split,
                targets=Targets(emotion=segment.emotion, native=segment.native),
                truth=dict(segment.channels),
            )
        )
    return samples


def view_of(truth: SceneTruth, segment: TrueSegment) -> Box | None:
    """Where the person is seen for the longest part of an utterance; None where they are not."""
    seen = [
        (min(part.end, segment.end) - max(part.start, segment.start), part.box)
        for part in truth.shown
        if part.person == segment.person
    ]
    longest, box = max(seen, default=(0.0, None))
    return box if longest > 0 else None


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return value
