"""An enrolment curve: answers to people's clips, by how many of their other clips are known.

A file of answers is JSON Lines: a header with ids, true labels and people of the clips, and a line
a system, case and draw with an answer a clip, the number of its label or -1 where the clip was
enrolled and is not scored. Everything shown is a function of this file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.base.files import parse_row, read_lines, write_jsonl
from emollama.scoring.metrics.bootstrap import Draws
from emollama.scoring.metrics.formulas import one_hot, uar
from emollama.scoring.metrics.measure import ends, estimates
from emollama.scoring.report.cells import Table

NOBODY, ANY, NEUTRAL, TOLD, MIXED, ALL = (
    "none", "any", "neutral", "neutral, told", "mixed", "all"
)  # fmt: skip
TITLES = {
    NOBODY: "no clip",
    ANY: "any clips",
    NEUTRAL: "neutral clips only",
    TOLD: "neutral clips, and told so",
    MIXED: "two thirds neutral",
    ALL: "all, scored ones included (transductive)",
}
_VERSION = 1


@dataclass(frozen=True)
class CurveRow:
    """The answers of one system in one draw; -1 for clips that are not scored."""

    system: str
    case: str
    clips: int
    draw: int
    answers: tuple[int, ...]


@dataclass(frozen=True)
class Curve:
    """A file of answers.

    Attributes:
        labels: K labels.
        ids: of n clips.
        truth: numbers of their labels.
        people: who is in each.
        rows: the answers.
        about: model, corpus and split, for the reader.
    """

    labels: tuple[str, ...]
    ids: tuple[str, ...]
    truth: tuple[int, ...]
    people: tuple[str, ...]
    rows: tuple[CurveRow, ...]
    about: dict[str, str]


@dataclass(frozen=True)
class CurvePoint:
    """UAR of one system in one case: the mean of its draws, with an interval over people.

    `gain` is the UAR less that without enrolment on the same clips, `gain_low` and `gain_high` its
    interval.
    """

    system: str
    case: str
    clips: int
    draws: int
    uar: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {k: round(v, 6) if isinstance(v, float) else v for k, v in vars(self).items()}


def write_curve(curve: Curve, path: Path) -> None:
    """Write a file of answers atomically."""

    def lines() -> Iterable[dict[str, Any]]:
        names = ("labels", "ids", "truth", "people")
        yield {
            "enrolment": {"version": _VERSION, "about": curve.about}
            | {name: list(getattr(curve, name)) for name in names}
        }
        for row in curve.rows:
            yield vars(row) | {"answers": list(row.answers)}

    write_jsonl(path, lines())


def read_curve(path: Path) -> Curve:
    """Read a file of answers.

    Raises:
        EmollamaError: it cannot be read, or is not such a file.
    """
    lines = [parse_row(path, *line) for line in read_lines(path)]
    try:
        head = lines[0]["enrolment"]
        if head["version"] != _VERSION:
            raise EmollamaError(f"{path}: version {head['version']} is not supported")
        columns = {n: tuple(head[n]) for n in ("labels", "ids", "truth", "people")}
        rows = tuple(CurveRow(**{**line, "answers": tuple(line["answers"])}) for line in lines[1:])
        sizes = {len(columns["ids"]), len(columns["truth"]), len(columns["people"])}
        if len(sizes | {len(row.answers) for row in rows}) != 1:
            raise EmollamaError(f"{path}: lines have different numbers of clips")
        return Curve(**columns, rows=rows, about=dict(head["about"]))
    except (IndexError, KeyError, TypeError) as error:
        raise EmollamaError(f"{path}: is not a file of 'emollama enrolment': {error!r}") from error


def points(curve: Curve, **draws: Unpack[Draws]) -> list[CurvePoint]:
    """The points of every system and case, in the order of the file."""
    codes = {p: i for i, p in enumerate(dict.fromkeys(curve.people))}
    units = np.array([codes[p] for p in curve.people])
    truth = one_hot(curve.truth, len(curve.labels))
    groups: dict[tuple[str, str, int], list[CurveRow]] = {}
    for row in curve.rows:
        groups.setdefault((row.system, row.case, row.clips), []).append(row)
    without = {
        system: one_hot(rows[0].answers, len(curve.labels))
        for (system, case, _), rows in groups.items()
        if case == NOBODY
    }
    found = []
    for (system, case, clips), rows in groups.items():
        own = [one_hot(row.answers, len(curve.labels)) for row in rows]
        statistics = [
            partial(_mean_uar, truth, own, own),
            partial(_gain, truth, own, without[system]),
        ]
        (value, gain), drawn = estimates(statistics, units, draws)
        _, low, high = ends(value, drawn[:, 0])
        _, worst, best = ends(gain, drawn[:, 1])
        found.append(
            CurvePoint(
                system, case, clips, len(rows),
                # Sums in another order differ in the last digits; a table must not.
                *(round(float(x or 0), 9) for x in (value, low, high, gain, worst, best)),
            )
        )  # fmt: skip
    return found


def _mean_uar(
    truth: np.ndarray,
    own: Sequence[np.ndarray],
    answered: Sequence[np.ndarray],
    weights: np.ndarray,
) -> np.ndarray:
    """UAR [R] of answers, the mean of the draws; only clips that were answered in `own` count."""
    scores = [
        uar(truth, answers, weights * scored.any(axis=1))
        for answers, scored in zip(answered, own, strict=True)
    ]
    return np.asarray(np.mean(scores, axis=0))


def _gain(
    truth: np.ndarray, own: Sequence[np.ndarray], without: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """UAR [R] less that without enrolment on the same clips."""
    before = _mean_uar(truth, own, [without] * len(own), weights)
    return _mean_uar(truth, own, own, weights) - before


def curve_table(found: Sequence[CurvePoint], about: dict[str, str]) -> Table:
    """The curve as a table: a row a case, a column a system."""
    systems = list(dict.fromkeys(p.system for p in found))
    cases = list(dict.fromkeys((p.case, p.clips) for p in found))
    of = {(p.system, p.case, p.clips): p for p in found}

    def cell(system: str, case: tuple[str, int]) -> str:
        point = of.get((system, *case))
        if point is None:
            return "–"
        text = f"{point.uar:.3f} [{point.low:.3f}, {point.high:.3f}]"
        return text if case[0] == NOBODY else f"{text} ({point.gain:+.3f})"

    rows = tuple(
        (TITLES[case], str(clips) if case not in (NOBODY, ALL) else "",
         *(cell(system, (case, clips)) for system in systems))
        for case, clips in cases
    )  # fmt: skip
    draws = max((p.draws for p in found), default=0)
    note = (
        "UAR [95% interval over people] (gain over no clip, on the same clips); unlabelled clips "
        f"of the tested people were used, and are not scored; the mean of {draws} draws"
    )
    title = "enrolment, " + ", ".join(f"{k} {v}" for k, v in about.items())
    return Table(title, ("known by", "clips", *systems), rows, note)
