"""An analysis as one file, from which all others can be written again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from emollama.media.languages import Language
from emollama.recording.parts import (
    Analysis,
    FaceTrack,
    Person,
    Segment,
    SegmentAnswer,
    Timeline,
    Turn,
    Word,
)
from emollama.recording.work import Arrays, read_arrays, write_arrays

ANALYSIS = "analysis.npz"
_OF_TRACKS = ("times", "boxes", "scores")
_OF_TIMELINES = ("times", "expressions", "speaking", "loudness", "pitch")


def keep_analysis(analysis: Analysis, path: Path) -> None:
    """Write an analysis for its owner alone.

    Of face tracks only times, boxes and scores are written: the vectors by which somebody could be
    recognised never are, and nothing is made from the rest.

    Raises:
        EmollamaError: the file cannot be written.
    """
    arrays: Arrays = {}
    for i, person in enumerate(analysis.people):
        for name in _OF_TRACKS:
            arrays[f"track{i}.{name}"] = _joined([getattr(t, name) for t in person.tracks], name)
        arrays[f"track{i}.counts"] = np.array([len(t.times) for t in person.tracks], int)
    values: dict[str, list[str]] = {}
    for i, (person_name, line) in enumerate(analysis.timelines.items()):
        values[person_name] = list(line.values)
        arrays |= {f"line{i}.{name}": getattr(line, name) for name in _OF_TIMELINES}
        arrays |= {f"line{i}.value{j}": v for j, v in enumerate(line.values.values())}
    record: dict[str, Any] = {
        "recording": str(analysis.recording),
        "people": [[person.name, person.heard] for person in analysis.people],
        "turns": [asdict(turn) for turn in analysis.turns],
        "segments": [asdict(segment) for segment in analysis.segments],
        "answers": [asdict(answer) for answer in analysis.answers],
        "values": values,
        "language": None if analysis.language is None else asdict(analysis.language),
        **{name: getattr(analysis, name) for name in _PLAIN},
    }
    write_arrays(path, {**arrays, "record": np.array(json.dumps(record))})


_PLAIN = ("duration", "size", "cuts", "labels", "model", "coverage", "notes")


def kept_analysis(path: Path) -> Analysis:
    """An analysis as `keep_analysis` wrote it.

    Raises:
        EmollamaError: the file cannot be read.
    """
    arrays = read_arrays(path, "analyse the recording again")
    record = json.loads(str(arrays["record"]))
    people = tuple(
        Person(name, _tracks(arrays, i), heard) for i, (name, heard) in enumerate(record["people"])
    )
    timelines = {
        name: _timeline(arrays, i, names)
        for i, (name, names) in enumerate(record["values"].items())
    }
    language = record["language"]
    plain = {name: _tuples(record[name]) for name in _PLAIN}
    return Analysis(
        recording=Path(record["recording"]),
        people=people,
        turns=tuple(Turn(**turn) for turn in record["turns"]),
        segments=tuple(_segment(row) for row in record["segments"]),
        answers=tuple(
            SegmentAnswer(**{key: _tuples(value) for key, value in row.items()})
            for row in record["answers"]
        ),
        timelines=timelines,
        language=None if language is None else Language(**language),
        **plain,
    )


def _timeline(arrays: Mapping[str, np.ndarray], i: int, names: Sequence[str]) -> Timeline:
    """Timeline number `i`, which holds the values of these names."""
    parts: dict[str, Any] = {one: arrays[f"line{i}.{one}"] for one in _OF_TIMELINES}
    values = {value: arrays[f"line{i}.value{j}"] for j, value in enumerate(names)}
    return Timeline(**parts, values=values)


def _segment(row: dict[str, Any]) -> Segment:
    words = tuple(Word(**word) for word in row.pop("words"))
    return Segment(**{key: _tuples(value) for key, value in row.items()}, words=words)


def _tracks(arrays: Arrays, person: int) -> tuple[FaceTrack, ...]:
    counts = arrays[f"track{person}.counts"]
    times, boxes, scores = (
        np.split(arrays[f"track{person}.{name}"], np.cumsum(counts)[:-1]) for name in _OF_TRACKS
    )
    none = np.zeros(0, np.float32)
    return tuple(
        FaceTrack(times[i], boxes[i], scores[i], np.zeros((0, 7), np.float32), none, none, none)
        for i in range(len(counts))
    )


def _joined(parts: Sequence[np.ndarray], name: str) -> np.ndarray:
    empty = np.zeros((0, 4) if name == "boxes" else 0, np.float32)
    return np.concatenate(parts) if parts else empty


def _tuples(value: Any) -> Any:
    """JSON knows no tuples; an analysis has no lists."""
    return tuple(_tuples(one) for one in value) if isinstance(value, list) else value
