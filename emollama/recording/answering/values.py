"""Valence and arousal over time, by a model of values, for each person's timeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.manifest.sample import Sample
from emollama.recording.answering.answers import view_of
from emollama.recording.answering.asking import Advance, Asker
from emollama.recording.parts import Segment, Timeline
from emollama.session.base import Session

ROLE = "values"


def require_values(session: Session) -> None:
    """Raise an error unless a model answers with values.

    Raises:
        EmollamaError: it does not.
    """
    if not session.artefact.values:
        raise EmollamaError(
            f"--values {session.folder}: answers with labels; it needs a model of values, such as "
            "valence and arousal over time"
        )


def add_values(
    timelines: Mapping[str, Timeline], asker: Asker, segments: Sequence[Segment], advance: Advance
) -> dict[str, Timeline]:
    """The timelines with the model's values in their people's segments, NaN elsewhere.

    A model of values frame by frame is followed over time; one of values of a clip gives one to a
    segment. A segment that lacks what the model needs has none.

    Args:
        timelines: by person.
        asker: the model of values.
        segments: of the recording.
        advance: called after each segment.

    Raises:
        EmollamaError: an answer cannot be kept, e.g. because the disk is full.
    """
    names = asker.session.artefact.values
    found = {
        person: {name: np.full(len(line.times), np.nan, np.float32) for name in names}
        for person, line in timelines.items()
    }
    total = sum(segment.end - segment.start for segment in segments)
    done = 0.0
    advance(done, total)
    for segment, sample in zip(segments, asker.manifest.samples, strict=True):
        row = asker.work.row(ROLE, sample.id)
        if row is None:
            row = _asked(asker, sample)
            asker.work.keep_row(ROLE, sample.id, row)
        if segment.person in found and row:
            line = timelines[segment.person]
            inside = (segment.start <= line.times) & (line.times < segment.end)
            moments = line.times[inside] - segment.start
            for name, values in row["values"].items():
                found[segment.person][name][inside] = np.interp(moments, row["times"], values)
        done += segment.end - segment.start
        advance(done, total)
    return {person: replace(line, values=found[person]) for person, line in timelines.items()}


def _asked(asker: Asker, sample: Sample) -> dict[str, Any]:
    """Times from the segment's start and values at them; {} where there are none."""
    if asker.deaf_to(sample):
        return {}
    seen = asker.observation(sample)
    if isinstance(seen, str):
        return {}
    try:
        answer = asker.session.answer(view_of(asker.session, seen, sample), False)
    except EmollamaError:
        return {}
    if answer.frames is None:
        return {"times": [0.0], "values": {n: [v] for n, v in (answer.values or {}).items()}}
    times = np.array(answer.frames.times)
    values = {n: np.array(v) for n, v in answer.frames.values.items()}
    known = np.isfinite(times)
    for row in values.values():
        known &= np.isfinite(row)
    if not known.any():
        return {}
    return {
        "times": times[known].tolist(),
        "values": {n: row[known].tolist() for n, row in values.items()},
    }
