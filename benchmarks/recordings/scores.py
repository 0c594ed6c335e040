"""What a scene's analysis got right, as sums over scenes with a bootstrap over them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.recordings.found import Answer, Cell, Found
from emollama.probe.scene_truth import SceneTruth, Shown
from emollama.scoring.metrics.bootstrap import interval, resample
from emollama.scoring.metrics.diarization import (
    Span,
    SpanErrors,
    best_names,
    boundaries_met,
    diarization_errors,
    renamed,
    span_errors,
)

COLLAR, TOLERANCE = 0.25, 0.5
MINUTES = 10.0

_SAME = {"worried": "fear", "fear": "worried"}
"""Labels that stand for each other where a model knows only one of them."""

Statistic = Callable[[np.ndarray], np.ndarray]
"""From weights of the scenes [r, n] to values [r]."""


@dataclass(frozen=True)
class Score:
    """A value with its 95 % interval over scenes; NaN where nothing was there to be scored."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if np.isnan(self.value):
            return "–"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def score(statistic: Statistic, scenes: int) -> Score:
    """A statistic over all scenes, and its percentile interval."""
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(statistic(np.ones((1, scenes)))[0])
        if np.isnan(value):
            return Score(np.nan, np.nan, np.nan)
        low, high = interval(resample(statistic, np.arange(scenes)))
    return Score(value, float(low), float(high))


def ratio(parts: Sequence[tuple[float, float]]) -> Statistic:
    """The sum of the first numbers by the sum of the second."""
    above, below = np.array(parts, float).reshape(-1, 2).T
    return lambda weights: (weights @ above) / (weights @ below)


def difference(one: Statistic, other: Statistic) -> Statistic:
    """One statistic less another, over the same draws."""
    return lambda weights: one(weights) - other(weights)


def turn_errors(cell: Cell, turns: Callable[[Found], Sequence[Span]]) -> list[SpanErrors]:
    """Errors of who spoke when, scene by scene, with a collar of `COLLAR`."""
    return [
        diarization_errors(true_turns(truth), turns(found), truth.duration, COLLAR)
        for truth, found in cell
    ]


def true_turns(truth: SceneTruth) -> list[Span]:
    """The turns as spans."""
    return [(turn.start, turn.end, turn.person) for turn in truth.turns]


def boundaries(cell: Cell) -> list[tuple[float, float]]:
    """Twice the boundaries met, and the number of both sides: their ratio is F1.

    A boundary is the start or end of an utterance, and of a found segment in which its person
    speaks; one that two of a side share counts once.
    """
    parts = []
    for truth, found in cell:
        true = {round(time, 2) for s in truth.segments for time in (s.start, s.end)}
        spoken = [a for a in found.answers if _common(found.turns, [(a.start, a.end, a.person)])]
        guessed = {round(time, 2) for a in spoken for time in (a.start, a.end)}
        met = boundaries_met(sorted(true), sorted(guessed), TOLERANCE)
        parts.append((2.0 * met, float(len(true) + len(guessed))))
    return parts


def identity_switches(cell: Cell) -> list[tuple[float, float]]:
    """How often the name of a person's face changes, and tens of minutes of each scene."""
    parts = []
    for truth, found in cell:
        names = sorted(
            (time, person, name)
            for name, places in found.faces.items()
            for time, x, y in places
            if (person := _seen(truth.shown, time, x, y)) is not None
        )
        known: dict[str, str] = {}
        switches = 0
        for _, person, name in names:
            switches += known.get(person, name) != name
            known[person] = name
        if truth.shown:
            parts.append((float(switches), truth.duration / 60 / MINUTES))
    return parts


def active_speaker(cell: Cell) -> list[tuple[float, float]]:
    """Seconds of visible people's speech in which the right one is said to speak, and all.

    Whose face a name has is decided by where it is seen, not by the turns.
    """
    parts = []
    for truth, found in cell:
        if not truth.shown:
            continue
        names = _names_by_face(truth, found)
        seen = [(part.start, part.end, part.person) for part in truth.shown]
        visible = _common(true_turns(truth), seen)
        errors = span_errors(visible, renamed(found.turns, names), truth.duration)
        parts.append((errors.correct, errors.total))
    return parts


def emotion_over_time(
    cell: Cell, norm: bool, of: Sequence[str] | None = None
) -> list[tuple[float, float]]:
    """Seconds with the wrong person or label, and seconds of true speech.

    Args:
        cell: the scenes.
        norm: whether answers are those measured against the person's norm.
        of: people whose speech is scored; None for all.
    """
    parts = []
    for truth, found in cell:
        names = best_names(true_turns(truth), found.turns, truth.duration)
        said = _common(
            renamed(found.turns, names),
            renamed([(a.start, a.end, a.person) for a in found.answers], names),
            [answer.label(norm) for answer in found.answers],
        )
        errors = span_errors(_true_labels(truth, found, of), said, truth.duration)
        parts.append((errors.missed + errors.confused, errors.total))
    return parts


def emotion_of_true_segments(
    cell: Cell, norm: bool, of: Sequence[str] | None = None
) -> list[tuple[float, float]]:
    """As `emotion_over_time`, with the true segments given."""
    return [
        (sum(seconds for seconds, true, said in rows if true != said), sum(r[0] for r in rows))
        for rows in (_true_rows(truth, found, norm, of) for truth, found in cell)
    ]


def one_label(cell: Cell, of: Sequence[str] | None = None) -> list[tuple[float, float]]:
    """As `emotion_of_true_segments` of the label that is true for the longest time, always."""
    rows = [_true_rows(truth, found, True, of) for truth, found in cell]
    seconds: dict[str, float] = {}
    for length, true, _ in (row for scene in rows for row in scene):
        seconds[true] = seconds.get(true, 0.0) + length
    best = max(seconds, key=lambda label: seconds[label], default="")
    return [(sum(r[0] for r in scene if r[1] != best), sum(r[0] for r in scene)) for scene in rows]


def recall_of_labels(cell: Cell, norm: bool, of: Sequence[str] | None = None) -> Statistic:
    """The mean over labels of the share of true segments that are answered with theirs (UAR)."""
    rows = [_true_rows(truth, found, norm, of) for truth, found in cell]
    labels = sorted({true for scene in rows for _, true, _ in scene})
    right = np.zeros((len(cell), len(labels)))
    count = np.zeros((len(cell), len(labels)))
    for number, scene in enumerate(rows):
        for _, true, said in scene:
            count[number, labels.index(true)] += 1
            right[number, labels.index(true)] += true == said
    if not labels:
        return lambda weights: np.full(len(weights), np.nan)
    return lambda weights: np.nanmean((weights @ right) / (weights @ count), axis=1)


def _true_rows(
    truth: SceneTruth, found: Found, norm: bool, of: Sequence[str] | None
) -> list[tuple[float, str, str | None]]:
    """Seconds, true label and answer of each true segment."""
    known = _labels(found.true_answers)
    return [
        (segment.end - segment.start, _label(segment.emotion, known), answer.label(norm))
        for segment, answer in zip(truth.segments, found.true_answers, strict=True)
        if of is None or segment.person in of
    ]


def _true_labels(truth: SceneTruth, found: Found, of: Sequence[str] | None) -> list[Span]:
    """True speech with its labels; pauses within an utterance are nobody's."""
    known = _labels(found.answers)
    scored = [s for s in truth.segments if of is None or s.person in of]
    return _common(
        true_turns(truth),
        [(s.start, s.end, s.person) for s in scored],
        [_label(s.emotion, known) for s in scored],
    )


def _labels(answers: Sequence[Answer]) -> set[str]:
    return {label for answer in answers for label in answer.scores}


def _label(true: str, known: set[str]) -> str:
    """The true label as the model calls it."""
    other = _SAME.get(true)
    return other if true not in known and other in known else true


def _both(person: str, label: str | None) -> str:
    return f"{person}: {label}"


def _common(
    spans: Sequence[Span], others: Sequence[Span], labels: Sequence[str | None] | None = None
) -> list[Span]:
    """Where spans of the same person meet, once each; with the other's label where there is one."""
    found = []
    for start, end, person in spans:
        for number, (other_start, other_end, other) in enumerate(others):
            low, high = max(start, other_start), min(end, other_end)
            if person == other and low < high:
                name = person if labels is None else _both(person, labels[number])
                found.append((low, high, name))
    return found


def _seen(shown: Sequence[Shown], time: float, x: float, y: float) -> str | None:
    """Who is seen at a place of the picture."""
    for part in shown:
        left, top, right, bottom = part.box
        if part.start <= time < part.end and left <= x < right and top <= y < bottom:
            return part.person
    return None


def _names_by_face(truth: SceneTruth, found: Found) -> dict[str, str]:
    """The names of people who are seen to the true ones, by where their faces are most often."""
    together = Counter(
        (name, person)
        for name, places in found.faces.items()
        for time, x, y in places
        if (person := _seen(truth.shown, time, x, y)) is not None
    )
    names: dict[str, str] = {}
    for name, person in sorted(together, key=lambda pair: (-together[pair], pair)):
        if name not in names and person not in names.values():
            names[name] = person
    return names
