"""Measurements over time, as HTML lanes with SVG pictures that stretch to any width.

Text is in the HTML, so that it keeps its size on a phone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from emollama.base.colours import EXPRESSION_COLOURS
from emollama.demo.moments import clue_links
from emollama.demo.seeking import seek_button
from emollama.session import ClipView, Frames, Measurement, Timeline
from emollama.session.moments import level

_LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
_WIDTH, _HEIGHT = 1000, 100  # of a lane's own units


def lanes(look: ClipView, frames: Frames | None = None, seeks: bool = True) -> str:
    """The clues of a clip with their moments, all its lanes, and the measurements in words.

    Args:
        look: the clip.
        frames: valence, arousal or other quantities over time, from a model that predicts them.
        seeks: whether there is a player beside it, which goes to the times that are clicked.
    """
    timeline, length = look.observation.timeline, max(look.duration, 1e-3)
    seeks = seeks and not timeline.still
    peak, absent = look.observation.peak, look.observation.absent
    at = None if peak is None else peak.time / length
    parts: list[str] = []
    if np.isfinite(timeline.expressions).any():
        parts.append(_expressions(timeline, length, at))
    else:
        parts.append(_empty("Facial expression", absent.get("face", "no face was found")))
    if len(timeline.voice_times):
        loud = level(look)
        parts.append(_curve("Sound level", "dB re full scale", timeline.voice_times,
                            {"energy": timeline.energy}, length, at,
                            f"{loud}; " if loud else ""))  # fmt: skip
    else:
        parts.append(_empty("Sound level", absent.get("voice", "no sound was found")))
    if np.isfinite(timeline.pitch).any():
        parts.append(_curve("Voice pitch", "Hz", timeline.voice_times,
                            {"pitch": timeline.pitch}, length, at))  # fmt: skip
    elif len(timeline.voice_times):
        parts.append(_empty("Voice pitch", "no voiced sound was found"))
    if frames is not None:
        values = {name: np.asarray(v, np.float64) for name, v in frames.values.items()}
        parts.append(_curve(" and ".join(values), "as the model predicts them",
                            np.asarray(frames.times), values, length, at))  # fmt: skip
    if timeline.still:
        return f"{clue_links(look, seeks)}{''.join(parts)}"
    parts.append(_axis(length))
    head = '<div class="playhead" aria-hidden="true"></div>' if seeks else ""
    return (
        f'{clue_links(look, seeks)}<div class="lanes{" seek" if seeks else ""}" '
        f'data-length="{length:.3f}">{head}{"".join(parts)}</div>'
        f"{told_table(look.observation.measurements, seeks)}"
    )


def told_table(told: Sequence[Measurement], seeks: bool) -> str:
    """The measurements in words with their times, in a folded table."""
    if not told:
        return ""
    rows = "".join(
        f"<tr><td>{_span(t, seeks)}</td><td>{escape(t.channel)}</td><td>{escape(t.words)}</td></tr>"
        for t in told
    )
    return (
        "<details><summary>The same in words</summary><table><thead><tr><th>time</th>"
        f"<th>channel</th><th>measured</th></tr></thead><tbody>{rows}</tbody></table></details>"
    )


def _span(told: Measurement, seeks: bool) -> str:
    words = f"{told.start:.1f}–{told.end:.1f} s"
    return seek_button(told.start, words) if seeks else words


def _expressions(timeline: Timeline, length: float, at: float | None) -> str:
    """A column for each time, stacked by probability; empty where no face was found."""
    times = timeline.face_times
    edges = np.concatenate([[0.0], (times[1:] + times[:-1]) / 2, [length]]) / length * _WIDTH
    shapes: list[str] = []
    for i, row in enumerate(timeline.expressions):
        if not np.isfinite(row).all():
            continue
        top = 0.0
        for name, p in zip(timeline.classes, row, strict=True):
            height = _HEIGHT * float(p)
            shapes.append(
                f'<rect x="{edges[i]:.1f}" y="{top:.2f}" width="{edges[i + 1] - edges[i]:.1f}" '
                f'height="{height:.2f}" fill="{EXPRESSION_COLOURS[name]}"/>'
            )
            top += height
    means = np.nanmean(timeline.expressions, axis=0)
    said = ", ".join(
        f"{timeline.classes[j]} {100 * means[j]:.0f} %" for j in np.argsort(-means)[:3]
    )
    legend = _legend((name, EXPRESSION_COLOURS[name]) for name in timeline.classes)
    return _lane("Facial expression", f"on average {said}", "".join(shapes), at) + legend


def _curve(
    title: str,
    unit: str,
    times: np.ndarray,
    values: dict[str, np.ndarray],
    length: float,
    at: float | None,
    first: str = "",
) -> str:
    known = np.concatenate([v[np.isfinite(v)] for v in values.values()])
    if not len(known):
        return _empty(title, "nothing was measured")
    low, high = float(known.min()), float(known.max())
    span = (high - low) or 1.0
    colours = dict(zip(values, _LINES * len(values), strict=False))
    shapes = "".join(
        _line(times / length * _WIDTH, _HEIGHT * (0.95 - 0.9 * (v - low) / span), colours[name])
        for name, v in values.items()
    )
    digits = 2 if max(abs(low), abs(high)) < 10 else 0
    said = f"{first}{low:.{digits}f} to {high:.{digits}f} {unit}"
    legend = _legend(colours.items()) if len(values) > 1 else ""
    return _lane(title, said, shapes, at) + legend


def _line(x: np.ndarray, y: np.ndarray, colour: str) -> str:
    """Lines through known stretches; a single point is a short dash."""
    out: list[str] = []
    stretch: list[str] = []
    for px, py in [*zip(x.tolist(), y.tolist(), strict=True), (0.0, float("nan"))]:
        if np.isfinite(py):
            stretch.append(f"{px:.1f},{py:.1f}")
        elif stretch:
            if len(stretch) == 1:
                alone = stretch[0].split(",")
                stretch.append(f"{float(alone[0]) + 3:.1f},{alone[1]}")
            out.append(
                f'<polyline points="{" ".join(stretch)}" fill="none" stroke="{colour}" '
                'stroke-width="2" vector-effect="non-scaling-stroke"/>'
            )
            stretch = []
    return "".join(out)


def _lane(title: str, said: str, shapes: str, at: float | None) -> str:
    mark = ""
    if at is not None:
        x = _WIDTH * min(at, 1.0)
        mark = (
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{_HEIGHT}" stroke="currentColor" '
            'stroke-width="1.5" stroke-dasharray="4 3" vector-effect="non-scaling-stroke"/>'
        )
    return (
        f'<div class="lane"><p><b>{escape(title)}</b> {escape(said)}</p>'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(title)} over time: {escape(said)}">{shapes}{mark}</svg></div>'
    )


def _empty(title: str, why: str) -> str:
    return f'<div class="lane"><p><b>{escape(title)}</b> {escape(why)}</p></div>'


def _legend(entries: Iterable[tuple[str, str]]) -> str:
    items = "".join(
        f'<span><i style="background:{colour}"></i>{escape(name)}</span>'
        for name, colour in entries
    )
    return f'<p class="legend">{items}</p>'


def _axis(length: float) -> str:
    marks = "".join(f"<span>{length * i / 4:.1f} s</span>" for i in range(5))
    return f'<p class="axis" aria-hidden="true">{marks}</p>'
