"""Moments worth a look: changes of a person's emotion, and channels that disagree.

The rules, which the report states in these words:

- **Change**: a person's label differs from that of their segment before, each with a probability of
  at least `SURE`, and at most `LONGEST_PAUSE` seconds lie between the two segments.
- **Conflict**: two channels alone (voice, face, words) give different labels, each with a
  probability of at least `SURE`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from emollama.manifest.channels import CHANNELS
from emollama.recording.parts import Analysis, Segment, SegmentAnswer

SURE = 0.5
"""Least probability of a label that takes part in a mark."""
LONGEST_PAUSE = 10.0
"""Seconds between two segments of a person beyond which they are not compared."""

Kind = Literal["change", "conflict"]

RULES: dict[Kind, str] = {
    "change": "a person's label differs from that of their segment before, each with a probability "
    f"of at least {SURE:g}, and at most {LONGEST_PAUSE:g} s lie between the two",
    "conflict": "two channels alone give different labels, each with a probability of at least "
    f"{SURE:g}",
}


@dataclass(frozen=True)
class Mark:
    """A moment worth a look.

    Attributes:
        kind: which rule.
        segment: where; a change is at its start.
        words: "neutral → angry", or "voice angry, words happy".
    """

    kind: Kind
    segment: Segment
    words: str


def find_marks(analysis: Analysis) -> list[Mark]:
    """All marks, in order of the segments; a segment has at most one of each kind."""
    before: dict[str, tuple[Segment, SegmentAnswer]] = {}
    marks = []
    for segment, answer in zip(analysis.segments, analysis.answers, strict=True):
        last = before.get(segment.person)
        if last is not None and segment.start - last[0].end <= LONGEST_PAUSE:
            marks += _change(segment, last[1], answer)
        clashes = [f"{a}, {b}" for a, b in _clashes(answer)]
        if clashes:
            marks.append(Mark("conflict", segment, "; ".join(clashes)))
        before[segment.person] = (segment, answer)
    return marks


def _change(segment: Segment, last: SegmentAnswer, now: SegmentAnswer) -> list[Mark]:
    sure = all(a.label is not None and a.scores[a.label] >= SURE for a in (last, now))
    if not sure or last.label == now.label:
        return []
    return [Mark("change", segment, f"{last.label} → {now.label}")]


def _clashes(answer: SegmentAnswer) -> Iterator[tuple[str, str]]:
    sure = []
    for channel in CHANNELS:
        scores = answer.by_channel.get(channel)
        if scores:
            label = max(scores, key=scores.__getitem__)
            if scores[label] >= SURE:
                sure.append((channel, label))
    for (one, first), (other, second) in combinations(sure, 2):
        if first != second:
            yield f"{one} {first}", f"{other} {second}"
