"""The enrolment curves of the shipped models, and how far any way of enrolling falls."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchmarks.people.results import CORPORA, REGRESSION, Corpus, read_curves
from emollama.scoring.enrolment.curve import ALL, NOBODY, CurvePoint, curve_table, points
from emollama.scoring.report.cells import Table

ALLOWED = 0.01
"""No way of enrolling may fall further below measuring nobody than this."""


def enrolment_tables(folder: Path) -> Iterable[Table]:
    """A table for each corpus: the models, and the regression fitted on all three corpora."""
    for corpus in CORPORA:
        found = _points(folder, corpus)
        if found:
            about = {"corpus": corpus.title}
            yield curve_table(found, about)


def falls(folder: Path) -> str:
    """Which ways of enrolling fall below nobody enrolled, in one sentence; "" without curves."""
    found = {corpus: _points(folder, corpus) for corpus in CORPORA}
    if not any(found.values()):
        return ""
    low = [
        f"{corpus.title}, {point.system}, {point.clips} of '{point.case}' ({point.gain:+.3f})"
        for corpus, own in found.items()
        for point in own
        if point.case not in (NOBODY, ALL) and point.system != REGRESSION and point.gain < -ALLOWED
    ]
    if not low:
        return f"No way of enrolling falls more than {ALLOWED} below enrolling nobody."
    return f"More than {ALLOWED} below enrolling nobody: {'; '.join(low)}."


def _points(folder: Path, corpus: Corpus) -> list[CurvePoint]:
    """The points of every system once: each model's file holds the regression too."""
    found: dict[tuple[str, str, int], CurvePoint] = {}
    for curve in read_curves(folder, corpus.name):
        for point in points(curve):
            found.setdefault((point.system, point.case, point.clips), point)
    return list(found.values())
