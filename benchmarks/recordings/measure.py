"""Score what was found in scenes against their truth.

python -m benchmarks.recordings.measure [results/recordings/NAME.jsonl ...]
    [--emotion-of 03,09,14,20] [--out results/recordings/scores.md]

The tables of docs/recordings_measured.md, from committed cells alone: nothing is analysed.
Intervals are 95 % over scenes. `--emotion-of` names the people whose emotions are scored: those
that the model was not trained on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.recordings.found import RESULTS, Cell, read_cell
from benchmarks.recordings.scores import (
    Score,
    active_speaker,
    boundaries,
    difference,
    emotion_of_true_segments,
    emotion_over_time,
    identity_switches,
    one_label,
    ratio,
    recall_of_labels,
    score,
    turn_errors,
)
from emollama.base.errors import EmollamaError, one_line_errors
from emollama.base.files import write_text
from emollama.scoring.metrics.diarization import SpanErrors
from emollama.scoring.report.cells import Table
from emollama.scoring.report.tables import table_markdown

NOT_TRAINED_ON = {
    "ravdess": ("03", "09", "14", "20"),
    "emodb": ("15", "16"),
    "javased": ("08",),
}
"""People kept back from the model that ships (models/people/README.md)."""


def scores_page(cells: dict[str, Cell], of: Sequence[str] | None = None) -> str:
    """All tables as Markdown.

    Args:
        cells: by the name that a row has.
        of: people whose emotions are scored; None for those of `NOT_TRAINED_ON`.
    """
    tables = (turns_table(cells), faces_table(cells), emotion_table(cells, of))
    parts = [f"## {t.title}\n\n{table_markdown(t)}\n\n{t.note}\n" for t in tables]
    return "\n".join(parts)


def turns_table(cells: dict[str, Cell]) -> Table:
    """Who spoke when."""
    rows = []
    for name, cell in cells.items():
        found = turn_errors(cell, lambda f: f.turns)
        rows.append(
            (
                name, str(len(cell)),
                str(score(ratio([(e.missed + e.false_alarm + e.confused, e.total) for e in found]),
                          len(cell))),
                *(_part(found, part) for part in ("missed", "false_alarm", "confused")),
                _rate(turn_errors(cell, lambda f: f.counted)),
                _rate(turn_errors(cell, lambda f: f.true_speech)),
                _people(cell),
            )
        )  # fmt: skip
    return Table(
        "Who spoke when: diarisation error, number of people unknown",
        ("scenes", "n", "error", "missed", "false alarm", "confused", "number given",
         "true speech given", "number found right"),
        tuple(rows),
        "pyannote.metrics 4.2's diarisation error rate, collar .25 (.125 s to each side), speech "
        "at once counted. True speech given: by voices alone, number unknown.",
    )  # fmt: skip


def faces_table(cells: dict[str, Cell]) -> Table:
    """Tracks, active speaker and boundaries."""
    rows = []
    for name, cell in cells.items():
        switches, active = identity_switches(cell), active_speaker(cell)
        rows.append(
            (
                name, str(len(cell)),
                str(score(ratio(switches), len(switches))) if switches else "–",
                str(score(ratio(active), len(active))) if active else "–",
                str(score(ratio(boundaries(cell)), len(cell))),
            )
        )  # fmt: skip
    return Table(
        "Faces and boundaries",
        ("scenes", "n", "identity switches in 10 minutes", "active speaker right",
         "boundaries, F1 at .5 s"),
        tuple(rows),
        "Active speaker: share of visible people's speech in which the right face is said to "
        "speak. Boundaries are the starts and ends of utterances.",
    )  # fmt: skip


def emotion_table(cells: dict[str, Cell], of: Sequence[str] | None) -> Table:
    """Emotion over time."""
    rows = []
    for name, cell in cells.items():
        people = of or NOT_TRAINED_ON.get(cell[0][0].source)
        n = len(cell)
        over = [ratio(emotion_over_time(cell, norm, people)) for norm in (True, False)]
        true = [ratio(emotion_of_true_segments(cell, norm, people)) for norm in (True, False)]
        recall = [recall_of_labels(cell, norm, people) for norm in (True, False)]
        statistics = (
            *over, difference(*over), *true, ratio(one_label(cell, people)),
            *recall, difference(*recall),
        )  # fmt: skip
        rows.append((name, str(n), *(str(score(one, n)) for one in statistics)))
    return Table(
        "Emotion error over time: share of speech time with the wrong person or label",
        ("scenes", "n", "with norm", "without", "norm's difference", "true segments, with norm",
         "true segments, without", "one label for all", "UAR, true segments, with norm", "without",
         "norm's difference"),
        tuple(rows),
        "Of people whom the model was not trained on. One label for all: the most frequent true "
        "one, true segments given.",
    )  # fmt: skip


def _rate(errors: Sequence[SpanErrors]) -> str:
    parts = [(e.missed + e.false_alarm + e.confused, e.total) for e in errors]
    return str(score(ratio(parts), len(errors)))


def _part(errors: Sequence[SpanErrors], part: str) -> str:
    found: Score = score(ratio([(getattr(e, part), e.total) for e in errors]), len(errors))
    return f"{found.value:.3f}"


def _people(cell: Cell) -> str:
    right = sum(
        len({name for *_, name in found.turns}) == len(truth.people) for truth, found in cell
    )
    return f"{right} of {len(cell)}"


@one_line_errors
def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cells", type=Path, nargs="*")
    parser.add_argument("--emotion-of")
    parser.add_argument("--out", type=Path)
    a = parser.parse_args()
    paths = a.cells or sorted(RESULTS.glob("*.jsonl"))
    if not paths:
        raise EmollamaError(
            f"{RESULTS}: holds no scenes; make them by benchmarks.recordings.collecting"
        )
    of = tuple(a.emotion_of.split(",")) if a.emotion_of else None
    page = scores_page({path.stem: read_cell(path) for path in paths}, of)
    print(page)
    if a.out:
        write_text(a.out, page)


if __name__ == "__main__":
    main()
