"""Figures of an explained clip: the case sheet, and the system's own maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from emollama.base.drawing import BLUE, GREEN, GREY, ORANGE, STYLE, save_figure
from emollama.explain.case import Case
from emollama.explain.maps import Axis, Map
from emollama.explain.occlusion import Curve
from emollama.media.clip import Clip, Frames
from emollama.runs.shapley import Attribution

COLOURS = {"voice": BLUE, "face": ORANGE, "words": GREEN}
MOST_TICKS = 12
LONGEST_WORD = 14
ROW_HEIGHT = 2.3
"""Height of an occlusion curve, in inches."""
_FILM_HEIGHT, _WIDTH = 1.0, 9.5  # of the frames and of the sheet, in inches


def draw_case(case: Case, path: Path, film: Clip | None = None) -> None:
    """The case sheet: scores, Shapley values, a curve over time for each lane, and the frames."""
    with style.context(["default", STYLE]):
        save_figure(case_figure(case, film), path)


def draw_maps(case: Case, path: Path) -> bool:
    """Draw the system's own maps; returns whether there are any."""
    if not case.maps:
        path.unlink(missing_ok=True)
        return False
    with style.context(["default", STYLE]):
        save_figure(maps_figure(case.maps), path)
    return True


def case_figure(case: Case, film: Clip | None = None) -> Figure:
    """Scores and Shapley values side by side, occlusion curves below, frames under those in time.

    Args:
        case: the clip.
        film: the clip with some of its frames; None for no frames.
    """
    attributions = [a for a in (case.answered, case.of_true) if a is not None]
    bars = max(len(case.scores), len(case.channels) * len(attributions))
    top = 1.2 + 0.34 * max(bars, 3)
    timed = [c for c in case.curves if c.lane.timed]
    stepped = [c for c in case.curves if not c.lane.timed]
    frames = film.frames if film is not None and timed else None
    heights = [top, *[ROW_HEIGHT] * len(timed)]
    heights += [_FILM_HEIGHT] * (frames is not None) + [ROW_HEIGHT] * len(stepped)
    figure = Figure(figsize=(_WIDTH, sum(heights)), layout="constrained")
    figure.suptitle(_title(case), x=0.01, ha="left", fontsize=12)
    rows = figure.add_gridspec(len(heights), 2, height_ratios=heights)
    _scores(figure.add_subplot(rows[0, 0]), case)
    _shapley(figure.add_subplot(rows[0, 1]), case, attributions)
    shown = [figure.add_subplot(rows[1 + i, :]) for i in range(len(timed))]
    for axes, curve in zip(shown, timed, strict=True):
        _curve(axes, curve, case.answered.label, case.noise(curve))
    if film is not None and frames is not None:
        for axes in shown:  # one scale of seconds for curves and frames
            axes.set_xlim(0, film.duration)
        _frames(figure.add_subplot(rows[1 + len(timed), :]), frames, film.duration)
    for i, curve in enumerate(stepped):
        axes = figure.add_subplot(rows[len(heights) - len(stepped) + i, :])
        _curve(axes, curve, case.answered.label, case.noise(curve))
    return figure


def _frames(axes: Axes, frames: Frames, duration: float) -> None:
    """As many of the frames as have room, each centred at its time."""
    _, height, width, _ = frames.images.shape
    # Seconds that a frame covers; what is around axes takes a quarter of their height.
    wide = 0.75 * _FILM_HEIGHT * width / height * duration / _WIDTH
    free = 0.0
    for image, time in zip(frames.images, frames.times, strict=True):
        left = min(max(time - wide / 2, 0), max(duration - wide, 0))
        if left >= free:
            axes.imshow(image, extent=(left, left + wide, 0, 1), aspect="auto")
            free = left + wide
    axes.set_xlim(0, duration)
    axes.set_ylim(0, 1)
    axes.axis("off")


def _title(case: Case) -> str:
    told = f"{case.id}: answered {case.answered.label}"
    if case.true is not None:
        told += f", true {case.true}"
    if case.truth:
        told += f"  ({', '.join(f'{c} {label}' for c, label in case.truth.items())})"
    return plain(told)


def plain(text: str) -> str:
    """Text that matplotlib draws literally: a dollar sign would begin a formula."""
    return text.replace("$", r"\$")


def _scores(axes: Axes, case: Case) -> None:
    ranked = sorted(case.scores, key=lambda x: case.scores[x])
    values = [case.scores[x] for x in ranked]
    colours = [BLUE if x == case.answered.label else "#B5B5B5" for x in ranked]
    axes.barh(range(len(ranked)), values, color=colours, height=0.7)
    for y, value in enumerate(values):
        axes.text(value + 0.01, y, f"{value:.2f}", va="center", fontsize=9)
    names = [f"{x} (true)" if x == case.true else x for x in ranked]
    axes.set_yticks(range(len(ranked)), [plain(n) for n in names])
    axes.set_xlim(0, 1.12)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.set_title("Scores, independent of each other" if case.several else "Label probabilities")


def _shapley(axes: Axes, case: Case, attributions: Sequence[Attribution]) -> None:
    names = list(case.channels)
    step = 0.8 / len(attributions)
    span = [v for a in attributions for v in a.probability.values()]
    pad = 0.03 * max(max(span, default=0) - min(0, *span), 0.05)
    for k, found in enumerate(attributions):
        for y, name in enumerate(reversed(names)):
            value = found.probability[name]
            place = y + step * ((len(attributions) - 1) / 2 - k)
            axes.barh(
                place, value, height=0.9 * step, color=COLOURS[case.channels[name]],
                alpha=1.0 if k == 0 else 0.4, label=None,
            )  # fmt: skip
            axes.text(
                value + (pad if value >= 0 else -pad), place, f"{value:+.2f}", va="center",
                ha="left" if value >= 0 else "right", fontsize=9,
            )  # fmt: skip
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_yticks(range(len(names)), [plain(n) for n in reversed(names)])
    axes.margins(x=0.22)
    told = [f"{a.label}: {a.empty:.2f} with nothing, {a.full:.2f} with all" for a in attributions]
    if len(told) > 1:
        told[1] += " (pale)"
    axes.set_title(f"Shapley values of the {case.parts}")
    axes.set_xlabel(plain("\n".join(told)), fontsize=9)


def _curve(axes: Axes, curve: Curve, label: str, noise: float) -> None:
    colour = COLOURS[curve.lane.channel]
    axes.axhspan(-noise, noise, color=GREY, alpha=0.15, linewidth=0)
    axes.axhline(0, color=GREY, linewidth=0.8)
    if curve.lane.timed:
        axes.fill_between(curve.centres, 0, curve.drop, color=colour, alpha=0.25, linewidth=0)
        axes.plot(curve.centres, curve.drop, color=colour, marker="o", markersize=3.5)
        axes.set_xlabel("seconds")
        shown = f"window of {curve.width:.2f} s"
    else:
        axes.bar(curve.centres, curve.drop, width=0.8 * max(curve.width, 0.5), color=colour)
        if curve.lane.words and len(curve.centres) == len(curve.lane.words):
            names = [_short(w) for w in curve.lane.words]
            crowded = sum(map(len, names)) > 90
            axes.set_xticks(
                curve.centres, [plain(n) for n in names], rotation=45 if crowded else 0,
                ha="right" if crowded else "center", rotation_mode="anchor" if crowded else None,
            )  # fmt: skip
            shown = "one word"
        else:
            axes.set_xlabel("step")
            shown = "one step" if curve.width <= 1 else f"{curve.width:.0f} steps"
    # A curve of nothing is not blown up to look like something.
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, -0.02), max(high, 0.05, 1.2 * noise))
    axes.set_ylabel(plain(f"fall of p({label})"), fontsize=9)
    lost = "" if curve.drop.max() > noise else "; nothing beyond noise (grey)"
    axes.set_title(plain(f"Occlusion, {curve.lane.name}: {shown} hidden at a time{lost}"))


def maps_figure(maps: Sequence[Map]) -> Figure:
    """All maps of a sample, two per row."""
    columns = 1 if len(maps) == 1 else 2
    rows = -(-len(maps) // columns)
    figure = Figure(figsize=(5.6 * columns, 3.3 * rows), layout="constrained")
    for i, one in enumerate(maps):
        axes = figure.add_subplot(rows, columns, i + 1)
        if 1 in one.values.shape:
            _line(axes, one)
        else:
            _heat(figure, axes, one)
        axes.set_title(plain(one.name))
    return figure


def _line(axes: Axes, one: Map) -> None:
    axis = one.columns if one.values.shape[0] == 1 else one.rows
    values = one.values.ravel()
    axes.bar(range(len(values)), values, color=BLUE, width=0.8)
    axes.set_ylim(min(0.0, float(values.min())), max(float(values.max()) * 1.1, 1e-9))
    _ticks(axes, axis, "x")


def _heat(figure: Figure, axes: Axes, one: Map) -> None:
    signed = bool((one.values < 0).any())
    limit = float(np.abs(one.values).max())
    image = axes.imshow(
        one.values, aspect="auto", interpolation="nearest",
        cmap="RdBu_r" if signed else "viridis",
        vmin=-limit if signed else 0, vmax=limit or 1,
    )  # fmt: skip
    figure.colorbar(image, ax=axes, shrink=0.9)
    _ticks(axes, one.columns, "x")
    rows = one.rows
    if one.columns.title == "dimension":
        # Of a gate the mean over its dimensions is what is quoted.
        rows = Axis(rows.title, tuple(
            f"{n}\nmean {v:.2f}" for n, v in zip(rows.names, one.values.mean(1), strict=True)
        ))  # fmt: skip
    _ticks(axes, rows, "y")


def _ticks(axes: Axes, axis: Axis, which: str) -> None:
    count = len(axis.names)
    places = range(count)
    most = MOST_TICKS if axis.names[0][:1].isdigit() else 2 * MOST_TICKS  # numbers, or words
    if count > most:
        places = np.unique(np.linspace(0, count - 1, most).round().astype(int)).tolist()
    names = [plain(_short(axis.names[i], LONGEST_WORD + 12)) for i in places]
    if which == "x":
        crowded = sum(map(len, names)) > 44
        axes.set_xticks(places, names, fontsize=8, rotation=45 if crowded else 0,
                        ha="right" if crowded else "center",
                        rotation_mode="anchor" if crowded else None)  # fmt: skip
        axes.set_xlabel(plain(axis.title), fontsize=9)
    else:
        axes.set_yticks(places, names, fontsize=8)
        axes.set_ylabel(plain(axis.title), fontsize=9)


def _short(word: str, longest: int = LONGEST_WORD) -> str:
    return word if len(word) <= longest else word[: longest - 1] + "…"
