"""What the analysis found in a scene, as it is committed: ids, spans, scores and labels.

A cell (a corpus, so many people) is results/recordings/NAME.jsonl, a line a scene: its truth and
what was found.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.base.files import read_jsonl, write_jsonl
from emollama.probe.scene_truth import SceneTruth, truth_of, truth_row
from emollama.scoring.metrics.diarization import Span

RESULTS = Path("results/recordings")


@dataclass(frozen=True)
class Answer:
    """What the model says of a stretch of one person.

    Attributes:
        start, end: seconds.
        person: the name that the analysis gave, or the true one.
        scores: probabilities by label, measured against the person's norm where there is one.
        without_norm: likewise without it; None where `scores` are.
    """

    start: float
    end: float
    person: str
    scores: dict[str, float]
    without_norm: dict[str, float] | None = None

    def label(self, norm: bool) -> str | None:
        """The most probable label, with the norm or without; None of an answer that failed."""
        scores = self.scores if norm or self.without_norm is None else self.without_norm
        return max(scores, key=lambda label: scores[label]) if scores else None


@dataclass(frozen=True)
class Found:
    """What was found in one scene.

    Attributes:
        turns: who speaks when, the number of people unknown.
        counted: the same with the number of people given.
        true_speech: the same, by voices alone, with the true stretches of speech given and the
            number unknown.
        faces: of each person that is seen, [seconds, x, y] of the face's centre, once a second.
        cuts: times of shot changes.
        answers: of each segment.
        true_answers: of each true segment, in the order of the truth.
    """

    turns: tuple[Span, ...]
    counted: tuple[Span, ...]
    true_speech: tuple[Span, ...]
    faces: dict[str, tuple[tuple[float, float, float], ...]]
    cuts: tuple[float, ...]
    answers: tuple[Answer, ...]
    true_answers: tuple[Answer, ...]


Cell = list[tuple[SceneTruth, Found]]


def write_cell(path: Path, cell: Iterable[tuple[SceneTruth, Found]]) -> None:
    """Write the scenes of a cell."""
    write_jsonl(path, ({"truth": truth_row(t), "found": _rounded(asdict(f))} for t, f in cell))


def read_cell(path: Path) -> Cell:
    """Read the scenes of a cell.

    Raises:
        EmollamaError: the file cannot be read, or a line is no scene.
    """
    cell = []
    for number, row in read_jsonl(path):
        where = f"{path}:{number}"
        truth = truth_of(row.get("truth", {}), where)
        try:
            cell.append((truth, found_of(row["found"])))
        except (KeyError, TypeError) as error:
            raise EmollamaError(f"{where}: is not what was found in a scene: {error}") from None
    return cell


def found_of(row: dict[str, Any]) -> Found:
    """What was found, from plain data."""
    return Found(
        turns=_spans(row["turns"]),
        counted=_spans(row["counted"]),
        true_speech=_spans(row["true_speech"]),
        faces={
            name: tuple((float(t), float(x), float(y)) for t, x, y in places)
            for name, places in row["faces"].items()
        },
        cuts=tuple(row["cuts"]),
        answers=tuple(Answer(**answer) for answer in row["answers"]),
        true_answers=tuple(Answer(**answer) for answer in row["true_answers"]),
    )


def _spans(rows: Iterable[Iterable[Any]]) -> tuple[Span, ...]:
    return tuple((float(start), float(end), str(who)) for start, end, who in rows)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return value
