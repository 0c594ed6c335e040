"""Each person's lane: labels of segments, turns, expressions, and curves over time, as SVG.

Places along time are percentages, so that lanes stretch to any width; bands and curves are pictures
that stretch. Timelines are thinned to means over equal stretches of time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from emollama.base.colours import EXPRESSION_COLOURS
from emollama.encoders.expression import CLASSES
from emollama.recording.export.marks import Mark
from emollama.recording.export.report.words import percent
from emollama.recording.parts import FACE_RATE, Analysis, Segment, SegmentAnswer, Timeline, clock

MOST_STRETCHES = 1500
"""Stretches of time that a person's curves are thinned to, at most."""
_ALL_STRETCHES = 9000  # of all people together: the file must stay small with a crowd

VALUE_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
VOICE_COLOURS = {"loudness": "#6E6E6E", "pitch": "#009E73"}
_HEIGHT = 100.0
_FAINTEST = 0.15  # opacity of the least probable label


def lane(person: str, analysis: Analysis, colours: Mapping[str, str], marks: Sequence[Mark]) -> str:
    """The SVG pictures of one person, from top to bottom."""
    length = max(analysis.duration, 1e-3)
    own = [
        (s, a)
        for s, a in zip(analysis.segments, analysis.answers, strict=True)
        if s.person == person
    ]
    turns = "".join(
        f'<rect x="{_at(t.start, length)}" width="{_wide(t.start, t.end, length)}" y="0" '
        'height="6"/>'
        for t in analysis.turns
        if t.speaker == person
    )
    parts = [
        _marks([m for m in marks if m.segment.person == person], length),
        f'<svg class="labels" aria-hidden="true">'
        f"{''.join(_segment(s, a, colours, length) for s, a in own)}</svg>",
        f'<svg class="turns" aria-hidden="true">{turns}</svg>',
    ]
    line = analysis.timelines.get(person)
    if line is not None:
        count = _stretches(len(analysis.timelines))
        if analysis.size is not None:
            parts.append(_expressions(line, length, count))
        parts += _curves(line, analysis, length, count)
    return "".join(parts)


def axis(analysis: Analysis) -> str:
    """Times and shot changes."""
    length = max(analysis.duration, 1e-3)
    steps = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600)
    step = next((s for s in steps if length / s <= 12), 7200)
    ticks = "".join(
        f'<line x1="{_at(t, length)}" x2="{_at(t, length)}" y1="0" y2="6"/>'
        f'<text x="{_at(t, length)}" dx="3" y="14">{clock(t)}</text>'
        for t in range(0, int(length) + 1, step)
    )
    cuts = "".join(
        f'<line class="cut" x1="{_at(t, length)}" x2="{_at(t, length)}" y1="0" y2="18"/>'
        for t in analysis.cuts
    )
    return f'<svg class="axis" aria-hidden="true">{cuts}{ticks}</svg>'


def _at(time: float, length: float) -> str:
    return f"{100 * time / length:.3f}%"


def _wide(start: float, end: float, length: float) -> str:
    return f"{max(100 * (end - start) / length, 0.02):.3f}%"


def _segment(
    segment: Segment, answer: SegmentAnswer, colours: Mapping[str, str], length: float
) -> str:
    if answer.label is None:
        look, told = 'class="none"', answer.error or "; ".join(answer.notes) or "no answer"
    else:
        p = answer.scores[answer.label]
        look = f'fill="{colours[answer.label]}" fill-opacity="{max(p, _FAINTEST):.2f}"'
        told = f"{answer.label} {percent(p)}"
    words = f": {segment.text}" if segment.text else ""
    return (
        f'<rect x="{_at(segment.start, length)}" y="0" height="28" '
        f'width="{_wide(segment.start, segment.end, length)}" {look}>'
        f"<title>{escape(f'{clock(segment.start)} {told}{words}')}</title></rect>"
    )


def _marks(marks: Sequence[Mark], length: float) -> str:
    """A diamond for a change, a cross for a conflict."""
    shown = "".join(
        f'<text class="{mark.kind}" x="{_at(mark.segment.start, length)}" y="11">'
        f"{'◆' if mark.kind == 'change' else '✕'}<title>{escape(mark.words)}</title></text>"
        for mark in marks
    )
    return f'<svg class="marks" aria-hidden="true">{shown}</svg>'


def _stretches(people: int) -> int:
    return max(200, min(MOST_STRETCHES, _ALL_STRETCHES // max(people, 1)))


def thinned(values: np.ndarray, times: np.ndarray, length: float, count: int) -> np.ndarray:
    """Means [count, ...] over equal stretches of time, NaN where nothing is known.

    Fewer than `count` where a stretch would be shorter than a row of the timeline.
    """
    count = max(1, min(count, int(length * FACE_RATE)))
    place = np.clip(((times + 0.5 / FACE_RATE) / length * count).astype(int), 0, count - 1)
    flat = np.asarray(values, np.float64).reshape(len(times), -1)
    known = np.isfinite(flat)
    sums, counts = np.zeros((count, flat.shape[1])), np.zeros((count, flat.shape[1]))
    np.add.at(sums, place, np.where(known, flat, 0))
    np.add.at(counts, place, known)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(counts > 0, sums / counts, np.nan)
    return means.reshape(count, *values.shape[1:])


def _runs(known: np.ndarray) -> list[tuple[int, int]]:
    """[first, behind the last) of each stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], known.astype(int), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _picture(kind: str, count: int, shapes: str, said: str) -> str:
    return (
        f'<p class="what">{escape(said)}</p><svg class="{kind}" viewBox="0 0 {count} '
        f'{_HEIGHT:g}" preserveAspectRatio="none" aria-hidden="true">{shapes}</svg>'
    )


def _expressions(line: Timeline, length: float, count: int) -> str:
    """Stacked areas of the seven expressions; empty where the face is not seen."""
    shares = thinned(line.expressions, line.times, length, count)
    known = np.isfinite(shares).all(axis=1)
    if not known.any():
        return '<p class="what">face: not seen</p>'
    means = np.nanmean(shares[known], axis=0)
    tops = np.concatenate([np.zeros((len(shares), 1)), np.cumsum(shares, axis=1)], axis=1)
    shapes = []
    for i, name in enumerate(CLASSES):
        path = []
        for first, last in _runs(known):
            x = [*range(first, last), last]
            upper, lower = (
                [f"{_HEIGHT * v:.0f}" for v in (*tops[first:last, j], tops[last - 1, j])]
                for j in (i, i + 1)
            )
            there = " ".join(f"{a},{b}" for a, b in zip(x, upper, strict=True))
            back = " ".join(f"{a},{b}" for a, b in zip(x[::-1], lower[::-1], strict=True))
            path.append(f"M{there}L{back}Z")
        shapes.append(f'<path fill="{EXPRESSION_COLOURS[name]}" d="{"".join(path)}"/>')
    most = ", ".join(f"{CLASSES[j]} {percent(means[j])}" for j in np.argsort(-means)[:3])
    return _picture("band", len(shares), "".join(shapes), f"face: on average {most}")


def _curves(line: Timeline, analysis: Analysis, length: float, count: int) -> list[str]:
    """Valence and arousal where a model of them is given, and the voice."""
    everyone = analysis.timelines.values()
    found = []
    if line.values:
        all_of = [other.values[name] for other in everyone for name in other.values]
        low, high = _range(all_of)
        if low >= -1 and high <= 1:
            low, high = -1.0, 1.0
        curves = [thinned(own, line.times, length, count) for own in line.values.values()]
        colours = VALUE_COLOURS * len(curves)
        zero = f'<line class="zero" x1="0" x2="{len(curves[0])}" y1="50" y2="50"/>'
        shapes = zero if low == -1 else ""
        shapes += "".join(
            _curve(c, low, high, colour) for c, colour in zip(curves, colours, strict=False)
        )
        said = f"{' and '.join(line.values)}: {low:.3g} to {high:.3g}"
        found.append(_picture("curve", len(curves[0]), shapes, said))
    shapes, told, width = "", [], 1
    for name, own in (("loudness", line.loudness), ("pitch", line.pitch)):
        low, high = _range([getattr(other, name) for other in everyone])
        if np.isfinite(own).any():
            curve = thinned(own, line.times, length, count)
            width = len(curve)
            shapes += _curve(curve, low, high, VOICE_COLOURS[name])
            unit = "Hz" if name == "pitch" else "dB re full scale"
            told.append(f"{name} {low:.0f} to {high:.0f} {unit}")
    if told:
        found.append(_picture("curve", width, shapes, f"voice: {', '.join(told)}"))
    return found


def _range(values: Sequence[np.ndarray]) -> tuple[float, float]:
    known = np.concatenate([v[np.isfinite(v)] for v in values])
    return (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)


def _curve(values: np.ndarray, low: float, high: float, colour: str) -> str:
    """A line through known stretches; a single point is a short dash."""
    y = _HEIGHT * (0.96 - 0.92 * (values - low) / ((high - low) or 1.0))
    path = ""
    for first, last in _runs(np.isfinite(values)):
        points = " ".join(f"{i + 0.5:g},{y[i]:.0f}" for i in range(first, last))
        path += f"M{points}" + ("h.5" if last - first == 1 else "")
    return f'<path class="line" stroke="{colour}" d="{path}"/>'
