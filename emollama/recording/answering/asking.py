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
from emollama.inputs.person import ClipMoments, Person
from emollama.manifest.sample import Manifest, Sample
from emollama.recording.answering import evidence
from emollama.recording.answering.answers import (
    Asked,
    answer_segments,
    failed,
    from_row,
    norm_key,
    norms,
    observe,
    segment_moments,
    to_row,
    unanswered,
    view_of,
)
from emollama.recording.parts import Segment, SegmentAnswer
from emollama.recording.work import Work
from emollama.session.base import Session
from emollama.session.clip_view import ClipView
from emollama.session.observation import Observation

Advance = Callable[[float, float], None]
"""Called with the seconds of segments that are done, and of all."""

TOGETHER = 8
"""Segments that are asked about at once."""

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
            view = None if self.deaf_to(sample) else self._view(sample)
            found.append(
                segment_moments(self.session, view) if isinstance(view, ClipView) else None
            )
            done += segment.end - segment.start
            advance(done, total)
        return found

    def observation(self, sample: Sample) -> Observation | str:
        """The evidence of a segment; why there is none where it cannot be decoded."""
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

    def deaf_to(self, sample: Sample) -> bool:
        """Whether the person listens, which a model that reads no face cannot say anything of."""
        return sample.mute and "face" not in self.session.channels

    def _view(self, sample: Sample) -> ClipView | str:
        """The model's view of a segment; why there is none."""
        seen = self.observation(sample)
        if isinstance(seen, str):
            return seen
        try:
            return view_of(self.session, seen, sample)
        except EmollamaError as error:  # none of the model's channels
            return str(error)

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
        pairs = list(zip(segments, self.manifest.samples, strict=True))
        for first in range(0, len(pairs), TOGETHER):
            some = [(sample, known.get(segment.person)) for segment, sample
                    in pairs[first : first + TOGETHER]]  # fmt: skip
            keys = [f"{sample.id} {_key(sample)} {norm_key(norm)}" for sample, norm in some]
            rows = [self.work.row(_ANSWERS, key) for key in keys]
            if None in rows:
                # All of them anew: in another batch the same prompt is rounded otherwise.
                made = [to_row(answer) for answer in self._ask(some, asked)]
                for key, row in zip(keys, made, strict=True):
                    self.work.keep_row(_ANSWERS, key, row)
                rows = [*made]
            answers += [from_row(row) for row in rows if row is not None]
            done += sum(
                segment.end - segment.start for segment, _ in pairs[first : first + TOGETHER]
            )
            advance(done, total)
        return answers

    def _ask(
        self, some: Sequence[tuple[Sample, Person | None]], asked: Asked
    ) -> list[SegmentAnswer]:
        """The answers to several segments, each with its person's norm."""
        views = {}
        found: dict[int, SegmentAnswer] = {}
        for i, (sample, norm) in enumerate(some):
            view = None if self.deaf_to(sample) else self._view(sample)
            if isinstance(view, ClipView):
                views[i] = (view, norm)
            else:
                found[i] = unanswered() if view is None else failed(view)
        answered = answer_segments(self.session, list(views.values()), asked)
        found |= dict(zip(views, answered, strict=True))
        return [found[i] for i in range(len(some))]


def _key(sample: Sample) -> str:
    """Equal for the same span, part of the picture and words."""
    facts = [sample.id, sample.start, sample.end, sample.view, sample.mute, sample.text]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
