"""All segments of a recording are looked at, their people's norms pooled, and answers asked for.

What was looked at and answered before is taken from the work folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.base.paths import need_file
from emollama.inputs.person import ClipMoments
from emollama.manifest.sample import Manifest, Sample
from emollama.recording.answering import evidence
from emollama.recording.answering.answers import (
    Asked,
    answer_segment,
    failed,
    from_row,
    norm_key,
    norms,
    observe,
    segment_moments,
    to_row,
    view_of,
)
from emollama.recording.parts import Segment, SegmentAnswer
from emollama.recording.work import Work
from emollama.session.base import Session
from emollama.session.observation import Observation

Advance = Callable[[float, float], None]
"""Called with the seconds of segments that are done, and of all."""

_ANSWERS = "answers"


@dataclass(frozen=True)
class Asker:
    """A model that is asked about the segments of a recording.

    Attributes:
        session: the model.
        manifest: a sample for each segment.
        work: what was done before.
        role: names the model's evidence in the work folder.
    """

    session: Session
    manifest: Manifest
    work: Work
    role: str = "segment"

    def look(self, segments: Sequence[Segment], advance: Advance) -> list[ClipMoments | None]:
        """Decode and encode each segment; returns what each adds to its person's norm.

        Raises:
            EmollamaError: the evidence cannot be kept, e.g. because the disk is full, or the
                recording was removed.
        """
        found: list[ClipMoments | None] = []
        total = sum(segment.end - segment.start for segment in segments)
        done = 0.0
        advance(done, total)
        for segment, sample in zip(segments, self.manifest.samples, strict=True):
            seen = self.observation(sample)
            try:
                found.append(
                    None
                    if isinstance(seen, str)
                    else segment_moments(self.session, view_of(self.session, seen, sample))
                )
            except EmollamaError:
                found.append(None)  # none of the model's channels, which its answer tells
            done += segment.end - segment.start
            advance(done, total)
        return found

    def observation(self, sample: Sample) -> Observation | str:
        """The evidence of a segment; why there is none where it cannot be decoded."""
        if sample.mute and "face" not in self.session.channels:
            return "the person listens, and the model reads no face"
        name = f"{self.role}-{_key(sample)}"
        kept = self.work.arrays(name)
        if kept is None:
            try:
                kept = evidence.to_arrays(observe(self.session, self.manifest, sample))
            except EmollamaError as error:
                need_file(self.manifest.media(sample.video or sample.audio or ""))
                kept = {"error": np.array(str(error))}
            self.work.keep_arrays(name, kept)
        return str(kept["error"]) if "error" in kept else evidence.from_arrays(kept)

    def answer(
        self,
        segments: Sequence[Segment],
        moments: Sequence[ClipMoments | None],
        asked: Asked,
        advance: Advance,
    ) -> list[SegmentAnswer]:
        """The answer to each segment, in their order.

        Args:
            segments: of the recording.
            moments: of each, from `look`.
            asked: what is asked about each.
            advance: called after each.

        Raises:
            EmollamaError: an answer cannot be kept, or a coverage of a model that was not
                calibrated.
        """
        self.session.require_calibrated(asked.coverage)
        known = norms(self.session, segments, moments)
        answers: list[SegmentAnswer] = []
        total = sum(segment.end - segment.start for segment in segments)
        done = 0.0
        advance(done, total)
        for segment, sample in zip(segments, self.manifest.samples, strict=True):
            norm = known.get(segment.person)
            key = f"{sample.id} {_key(sample)} {norm_key(norm)}"
            row = self.work.row(_ANSWERS, key)
            if row is None:
                seen = self.observation(sample)
                try:
                    if isinstance(seen, str):
                        raise EmollamaError(seen)
                    view = view_of(self.session, seen, sample)
                    answer = answer_segment(self.session, view, norm, asked)
                except EmollamaError as error:
                    answer = failed(error)
                row = to_row(answer)
                self.work.keep_row(_ANSWERS, key, row)
            answers.append(from_row(row))
            done += segment.end - segment.start
            advance(done, total)
        return answers


def _key(sample: Sample) -> str:
    """Equal for the same span, part of the picture and words."""
    facts = [sample.id, sample.start, sample.end, sample.view, sample.mute, sample.text]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
