"""segments.csv and timeline.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emollama.base.files import atomic_path
from emollama.encoders.expression import CLASSES
from emollama.manifest.channels import CHANNELS
from emollama.recording.export.marks import Kind, find_marks
from emollama.recording.parts import Analysis, Segment, SegmentAnswer


def write_segments(analysis: Analysis, path: Path) -> None:
    """A row for each segment: who, when, what was said, which emotion and why.

    Columns: `spoken` is seconds in which the person speaks, `probability` the label's, `p(LABEL)`
    every label's, `label_set` the labels that hold the true one at the asked coverage,
    `without_norm` the label measured against the training corpus, `voice`, `face` and `words` the
    label of each channel alone, `change` and `conflict` the marks (see `marks`), `reason_from`
    whose words the reason is, as of `SegmentAnswer`.
    """
    columns = [
        "id", "person", "start", "end", "spoken", "text", "label", "probability",
        *(f"p({label})" for label in analysis.labels),
        "label_set", "without_norm", *CHANNELS, "change", "conflict", "reason", "reason_from",
        "notes", "error",
    ]  # fmt: skip
    marks: dict[tuple[str, Kind], str] = {
        (mark.segment.id, mark.kind): mark.words for mark in find_marks(analysis)
    }
    rows = (
        [_cells(segment, answer, marks).get(column) for column in columns]
        for segment, answer in zip(analysis.segments, analysis.answers, strict=True)
    )
    _write(path, columns, rows)


def _cells(
    segment: Segment, answer: SegmentAnswer, marks: dict[tuple[str, Kind], str]
) -> dict[str, Any]:
    return {
        "id": segment.id,
        "person": segment.person,
        "start": f"{segment.start:.2f}",
        "end": f"{segment.end:.2f}",
        "spoken": f"{segment.spoken:.2f}",
        "text": segment.text,
        "label": answer.label,
        "probability": None if answer.label is None else f"{answer.scores[answer.label]:.6f}",
        **{f"p({label})": f"{p:.6f}" for label, p in answer.scores.items()},
        "label_set": None if answer.label_set is None else "; ".join(answer.label_set),
        "without_norm": likeliest(answer.without_norm),
        **{channel: likeliest(scores) for channel, scores in answer.by_channel.items()},
        "change": marks.get((segment.id, "change")),
        "conflict": marks.get((segment.id, "conflict")),
        "reason": answer.reason,
        "reason_from": answer.reason_from,
        "notes": "; ".join(answer.notes),
        "error": answer.error,
    }


def likeliest(scores: dict[str, float] | None) -> str | None:
    """The label with the highest probability; None without any."""
    return max(scores, key=scores.__getitem__) if scores else None


def write_timeline(analysis: Analysis, path: Path) -> None:
    """A row for each person and time, `FACE_RATE` rows a second.

    Columns: `p(EXPRESSION)` probabilities of the expressions of the face, empty where it is not
    seen; `speaking` 1 or 0; `loudness` in dB re full scale and `pitch` in Hz where the person
    speaks; `valence` and others where a model of them is given.
    """
    names = dict.fromkeys(name for line in analysis.timelines.values() for name in line.values)
    columns = ["person", "time", *(f"p({name})" for name in CLASSES), "speaking", "loudness",
               "pitch", *names]  # fmt: skip

    def rows() -> Iterable[list[str]]:
        for person, line in sorted(analysis.timelines.items()):
            lacking = np.full(len(line.times), np.nan, np.float32)
            tracks = [
                *(_numbers(line.expressions[:, i], 3) for i in range(len(CLASSES))),
                np.asarray(line.speaking, np.int64).astype(str).tolist(),
                _numbers(line.loudness, 1),
                _numbers(line.pitch, 1),
                *(_numbers(line.values.get(name, lacking), 3) for name in names),
            ]
            for time, *cells in zip(line.times.tolist(), *tracks, strict=True):
                yield [person, f"{time:.2f}", *cells]

    _write(path, columns, rows())


def _numbers(values: np.ndarray, digits: int) -> list[str]:
    """Decimal numbers; "" where a value is not finite."""
    return [f"{v:.{digits}f}" if np.isfinite(v) else "" for v in values.tolist()]


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")
        text.write("\ufeff")  # with a mark spreadsheets read it as UTF-8
        table = csv.writer(text, lineterminator="\n")
        table.writerow(columns)
        table.writerows(rows)
        text.flush()
        text.detach()
