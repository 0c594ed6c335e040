"""What stands on the tiers of ELAN and Praat: each person's sentences, words and emotions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from emollama.corpora.tables.tiers import Interval
from emollama.recording.parts import Analysis, Person

Kind = Literal["emotion", "text", "words"]

SHORTEST = 0.001
"""Seconds; ELAN counts in thousandths, and an interval must not be empty."""


@dataclass(frozen=True)
class Tier:
    """A tier "A emotion"; its intervals are sorted and do not overlap."""

    person: str
    kind: Kind
    intervals: tuple[Interval, ...]

    @property
    def name(self) -> str:
        """Person and kind."""
        return f"{self.person} {self.kind}"


def tiers_of(analysis: Analysis) -> list[Tier]:
    """Each person's tiers: emotions and sentences a segment, words; those without any left out.

    A segment without an answer has an empty interval on the tier of emotions, to be filled in.
    """
    return [tier for person in analysis.people for tier in _of(person, analysis) if tier.intervals]


def _of(person: Person, analysis: Analysis) -> Iterable[Tier]:
    own = [
        (segment, answer)
        for segment, answer in zip(analysis.segments, analysis.answers, strict=True)
        if segment.person == person.name
    ]
    emotions = [Interval(s.start, s.end, clean(a.label or "")) for s, a in own]
    texts = [Interval(s.start, s.end, clean(s.text)) for s, _ in own if s.text]
    words = [Interval(w.start, w.end, clean(w.text)) for s, _ in own for w in s.words]
    for kind, found in (("emotion", emotions), ("text", texts), ("words", words)):
        yield Tier(person.name, kind, apart(found, analysis.duration))  # type: ignore[arg-type]


def apart(intervals: Iterable[Interval], duration: float) -> tuple[Interval, ...]:
    """Intervals in order, in whole thousandths of a second, none of which overlap.

    One that begins before another has ended cuts it off there; of two that begin together the
    longer begins where the shorter ends. What is then shorter than `SHORTEST` is left out.
    """
    rounded = sorted(
        (
            Interval(round(max(i.start, 0.0), 3), round(min(i.end, duration), 3), i.words)
            for i in intervals
        ),
        key=lambda one: (one.start, one.end),
    )
    kept: list[Interval] = []
    for one in rounded:
        if one.end - one.start < SHORTEST / 2:
            continue
        start = one.start
        if kept and kept[-1].end > start:
            last = kept.pop()
            if start > last.start:
                last = Interval(last.start, start, last.words)
            else:
                start = last.end
            kept.append(last)
        if one.end - start >= SHORTEST / 2:
            kept.append(Interval(start, one.end, one.words))
    return tuple(kept)


def clean(text: str) -> str:
    """One line without characters that XML or Praat cannot hold."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
