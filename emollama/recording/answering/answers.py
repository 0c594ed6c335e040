"""Segments to answers: the session looks at each, and measures it against the person's norm.

A recording holds many segments of a person, whose labels nobody knows. Together they are what the
person is enrolled by: the norm of this person in this recording. A segment is a sample of the
recording's manifest, decoded as every sample is, so `emollama predict` on the manifest sees the
same evidence; what it cannot know is the norm.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.encoders.presence import note as lacking
from emollama.inputs.familiarity import UNLIKE
from emollama.inputs.person import ClipMoments
from emollama.inputs.person import Person as Norm
from emollama.manifest.sample import Manifest, Sample
from emollama.recording.parts import Segment, SegmentAnswer
from emollama.session.answer import Answer
from emollama.session.base import Session
from emollama.session.clip_view import ClipView
from emollama.session.coverage import with_coverage
from emollama.session.enrolling import moments_of_view
from emollama.session.observation import Observation
from emollama.workers.worker import job_of

_MEASURED = "measured against "  # a remark that every segment of a person has
_ENROLLED, _OTHERS = "the clips enrolled", "this person's other segments"

LISTENS = "the person listens, and the model reads no face"

LEAST_SEGMENTS = 2
"""Segments of a person from which they have a norm; of one, the norm would be the segment."""


@dataclass(frozen=True)
class Asked:
    """What is asked about each segment.

    Attributes:
        reasons: whether to write a reason.
        coverage: also ask for the labels that hold the true one in this share of segments.
    """

    reasons: bool = False
    coverage: float | None = None


def observe(session: Session, manifest: Manifest, sample: Sample) -> Observation:
    """The evidence of a segment, decoded and encoded; its words are the sample's.

    Raises:
        EmollamaError: the span cannot be decoded.
    """
    job = job_of(manifest, sample, ())
    video, voice = (*(path for path in (job.video, job.audio) if path is not None), None)[:2]
    assert video is not None, "a segment's sample names the recording"
    return session.observer.watch(video, job.start, job.end, False, voice, job.view, job.mute)


def view_of(session: Session, observation: Observation, sample: Sample) -> ClipView:
    """The model's view of a segment.

    Raises:
        EmollamaError: it has none of the model's channels.
    """
    return session.look_at(observation, sample.text or "", sample.id)


def segment_moments(session: Session, view: ClipView) -> ClipMoments | None:
    """What a segment adds to its person's norm; None where it shows nothing of it."""
    if session.artefact.prior is None:
        return None
    found = moments_of_view(session.person_prior, view)
    return None if np.isnan(found.mean).all() else found


def norms(
    session: Session, segments: Sequence[Segment], moments: Sequence[ClipMoments | None]
) -> dict[str, Norm]:
    """The norm of each person by name, pooled over their segments; {} of a model without norms.

    Args:
        session: the model.
        segments: of the recording.
        moments: of each, as `segment_moments` gives.
    """
    if session.artefact.prior is None:
        return {}
    mine: dict[str, list[ClipMoments]] = {}
    for segment, found in zip(segments, moments, strict=True):
        if found is not None:
            mine.setdefault(segment.person, []).append(found)
    pooled = {name: norm_of(session, clips) for name, clips in mine.items()}
    return {name: norm for name, norm in pooled.items() if norm is not None}


def norm_of(session: Session, moments: Sequence[ClipMoments]) -> Norm | None:
    """The norm that a person's segments give; None where they are too few.

    Args:
        session: a model with norms, where there is any segment.
        moments: of each segment, as `segment_moments` gives.
    """
    return session.person_prior.estimate(moments) if len(moments) >= LEAST_SEGMENTS else None


def norm_key(norm: Norm | None) -> str:
    """Changes with a norm; of nobody it is empty."""
    if norm is None:
        return ""
    digest = hashlib.sha256(repr((norm.clips, norm.variety, norm.prior)).encode())
    for values in (norm.mean, norm.deviation):
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()[:16]


def answer_segments(
    session: Session, views: Sequence[tuple[ClipView, Norm | None]], asked: Asked
) -> list[SegmentAnswer]:
    """The answers to segments, each with the norm of its person (None: without one).

    All are asked about together: with the norm, without it, and by each channel alone.

    Raises:
        EmollamaError: a coverage of a model that was not calibrated.
    """
    looks = [_looks(session, view, norm) for view, norm in views]
    found = iter(session.answers([look for one in looks for look in one], again=asked.reasons))
    return [
        _answer(session, view, norm, asked, one[0], [next(found) for _ in one])
        for (view, norm), one in zip(views, looks, strict=True)
    ]


def _looks(session: Session, view: ClipView, norm: Norm | None) -> list[ClipView]:
    known = session.known_as(view, norm)
    # One channel alone is the answer itself where there is no other.
    alone = [known.only([channel]) for channel in known.used] if len(known.used) > 1 else []
    return [known, *alone] if norm is None else [known, view, *alone]


def _answer(
    session: Session,
    view: ClipView,
    norm: Norm | None,
    asked: Asked,
    known: ClipView,
    told_of: Sequence[Answer],
) -> SegmentAnswer:
    """One segment's answer from those to its `_looks`."""
    first, *rest = told_of
    found = with_coverage(session.calibration, first, asked.coverage)
    scores = found.calibrated or found.scores
    others = [with_coverage(session.calibration, one, None) for one in rest]
    told = [one.calibrated or one.scores for one in others]
    plain = None if norm is None else told.pop(0)
    why = session.reason(known, answer=found) if asked.reasons else None
    session.forget(view)
    return SegmentAnswer(
        label=found.label or max(found.scores, key=lambda label: found.scores[label]),
        scores=scores,
        label_set=found.label_set,
        without_norm=plain,
        by_channel=dict(zip(map(str, known.used), told or [scores], strict=True)),
        reason=None if why is None else why.text,
        reason_from=None if why is None else why.origin,
        clues=found.clues,
        compared_with=found.compared_with,
        notes=norm_notes(found.notes),
    )


def norm_notes(notes: Iterable[str]) -> tuple[str, ...]:
    """The notes of an answer in words for one that is measured against a norm."""
    return tuple(
        note.replace(_ENROLLED, _OTHERS) for note in notes if not note.startswith(_MEASURED)
    )


def failed(why: EmollamaError | str) -> SegmentAnswer:
    """The answer to a segment that has none."""
    return SegmentAnswer(None, {}, error=" ".join(str(why).split()))


def unanswered() -> SegmentAnswer:
    """The answer to a segment whose person listens, of a model that reads no face."""
    return SegmentAnswer(None, {}, notes=(LISTENS,))


def told_once(answers: Sequence[SegmentAnswer]) -> tuple[list[SegmentAnswer], tuple[str, ...]]:
    """Answers without the remarks that all of several share, and these.

    How many segments are unlike the training clips comes first. Why no segment has words is told of
    the recording.
    """
    given = [answer.notes for answer in answers if answer.label is not None]
    common = [
        n for n in (given[0] if given[1:] else ())
        if not n.startswith(UNLIKE) and all(n in notes for notes in given)
    ]  # fmt: skip
    kept = [replace(a, notes=tuple(n for n in a.notes if n not in common)) for a in answers]
    told = [n for n in common if n != lacking("words", None)]
    if far := sum(any(n.startswith(UNLIKE) for n in notes) for notes in given):
        told.insert(0, f"segments unlike those the model was trained on: {far} of {len(given)}; "
                       "do not trust their answers")  # fmt: skip
    return kept, tuple(told)


def to_row(answer: SegmentAnswer) -> dict[str, Any]:
    """An answer as plain data; numbers are kept exactly."""
    row = {name: value for name, value in vars(answer).items() if value not in (None, {}, ())}
    for name in ("label_set", "notes"):
        if name in row:
            row[name] = list(row[name])
    return {**row, "scores": answer.scores, "label": answer.label}


def from_row(row: Mapping[str, Any]) -> SegmentAnswer:
    """The answer of `to_row`."""
    lists = {name: tuple(row[name]) for name in ("label_set", "notes") if row.get(name) is not None}
    return SegmentAnswer(**{**row, **lists})
