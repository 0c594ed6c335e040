"""Who spoke when, and with which label: errors over time, as pyannote.metrics counts them.

At every instant the labels of a reference are held against those of a hypothesis: as many as both
have are correct, what one has more of is missed or a false alarm, the rest is confused. Around each
boundary of the reference a collar may be left out; as in pyannote.metrics 4.2 it is `collar`
seconds wide in all, half of it on either side (NIST's md-eval counts it to each side).

With one person and a label at every instant, `SpanErrors.wrong` is SpeechBrain's emotion
diarisation error rate (speechbrain/utils/EDER.py): the share of time without the right label.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

Span = tuple[float, float, str]
"""Start and end in seconds, and a label."""


@dataclass(frozen=True)
class SpanErrors:
    """Seconds, each counted as often as labels hold at once."""

    total: float = 0.0
    correct: float = 0.0
    missed: float = 0.0
    false_alarm: float = 0.0
    confused: float = 0.0

    def __add__(self, other: SpanErrors) -> SpanErrors:
        return SpanErrors(
            *(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True))
        )

    @property
    def rate(self) -> float:
        """Missed, false alarm and confused as a share of the reference's time; NaN without any."""
        return (self.missed + self.false_alarm + self.confused) / (self.total or np.nan)

    @property
    def wrong(self) -> float:
        """Missed and confused as a share of the reference's time: at most 1; NaN without any."""
        return (self.missed + self.confused) / (self.total or np.nan)


def span_errors(
    reference: Sequence[Span], hypothesis: Sequence[Span], duration: float, collar: float = 0.0
) -> SpanErrors:
    """Errors of a hypothesis whose labels are those of the reference.

    Args:
        reference: spans, in any order; they may overlap.
        hypothesis: likewise.
        duration: what is scored ends here, in seconds; it begins at 0.
        collar: seconds left out around each start and end of a reference span, half on either side.
    """
    counted = SpanErrors()
    for seconds, true, found in _instants(reference, hypothesis, duration, collar):
        right = (Counter(true) & Counter(found)).total()
        both = min(len(true), len(found))
        counted += SpanErrors(
            seconds * len(true),
            seconds * right,
            seconds * max(len(true) - len(found), 0),
            seconds * max(len(found) - len(true), 0),
            seconds * (both - right),
        )
    return counted


def best_names(
    reference: Sequence[Span], hypothesis: Sequence[Span], duration: float, collar: float = 0.0
) -> dict[str, str]:
    """The hypothesis's labels to the reference's, so that they agree for the longest time.

    One to one; a label that never meets any of the other side is left out.
    """
    own = sorted({label for *_, label in hypothesis})
    others = sorted({label for *_, label in reference})
    together = np.zeros((len(own), len(others)))
    for seconds, true, found in _instants(reference, hypothesis, duration, collar):
        for one in found:
            for other in true:
                together[own.index(one), others.index(other)] += seconds
    pairs = zip(*linear_sum_assignment(-together), strict=True)
    return {own[i]: others[j] for i, j in pairs if together[i, j] > 0}


def renamed(spans: Sequence[Span], names: Mapping[str, str]) -> list[Span]:
    """The same spans under other labels; a label without a new name meets none of the reference."""
    return [(start, end, names.get(label, f"? {label}")) for start, end, label in spans]


def diarization_errors(
    reference: Sequence[Span], hypothesis: Sequence[Span], duration: float, collar: float = 0.25
) -> SpanErrors:
    """Errors of a hypothesis that has names of its own; `rate` is the diarisation error rate."""
    names = best_names(reference, hypothesis, duration, collar)
    return span_errors(reference, renamed(hypothesis, names), duration, collar)


def boundaries_met(
    reference: Sequence[float], hypothesis: Sequence[float], tolerance: float = 0.5
) -> int:
    """How many boundaries have a partner at most `tolerance` seconds away, one to one.

    With n in the reference and m in the hypothesis, recall is this by n and precision this by m.
    """
    true, found = sorted(reference), sorted(hypothesis)
    met = i = j = 0
    while i < len(true) and j < len(found):
        if abs(true[i] - found[j]) <= tolerance:
            met, i, j = met + 1, i + 1, j + 1
        elif true[i] < found[j]:
            i += 1
        else:
            j += 1
    return met


def _instants(
    reference: Sequence[Span], hypothesis: Sequence[Span], duration: float, collar: float
) -> list[tuple[float, list[str], list[str]]]:
    """Stretches without a change that are scored: seconds, the reference's labels, the others."""
    around = [
        (time - collar / 2, time + collar / 2)
        for start, end, _ in reference
        for time in (start, end)
        if collar > 0
    ]
    limits = {time for *span, _ in (*reference, *hypothesis) for time in span}
    limits |= {time for pair in around for time in pair}
    edges = np.array(sorted({min(max(t, 0.0), duration) for t in limits} | {0.0, duration}))
    middles = (edges[:-1] + edges[1:]) / 2
    left_out = np.zeros(middles.size, bool)
    for start, end in around:
        left_out |= (start < middles) & (middles < end)
    labels: list[list[list[str]]] = []
    for spans in (reference, hypothesis):
        at: list[list[str]] = [[] for _ in middles]
        for start, end, label in spans:
            first, last = np.searchsorted(middles, (start, end))
            for k in range(first, last):
                at[k].append(label)
        labels.append(at)
    widths = np.diff(edges).tolist()
    return [
        (width, true, found)
        for width, out, true, found in zip(widths, left_out, *labels, strict=True)
        if not out and (true or found)
    ]
