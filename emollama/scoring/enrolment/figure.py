"""The enrolment curve as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.style import context

from emollama.base.drawing import BLUE, GREEN, GREY, ORANGE, PURPLE, STYLE, save_figure
from emollama.scoring.enrolment.curve import (
    ALL,
    ANY,
    MIXED,
    NEUTRAL,
    NOBODY,
    TITLES,
    TOLD,
    CurvePoint,
)

_COLOURS = {ANY: BLUE, NEUTRAL: ORANGE, TOLD: GREEN, MIXED: PURPLE}


def draw_curve(found: Sequence[CurvePoint], path: Path) -> None:
    """One panel a system: UAR by number of enrolled clips, intervals over people."""
    systems = list(dict.fromkeys(p.system for p in found))
    with context(["default", STYLE]):
        figure = Figure(figsize=(4.2 * len(systems), 3.6), layout="constrained")
        panels = figure.subplots(1, len(systems), sharey=True, squeeze=False)[0]
        for axes, system in zip(panels, systems, strict=True):
            own = [p for p in found if p.system == system]
            for case, colour in _COLOURS.items():
                line = [p for p in own if p.case == case]
                if not line:
                    continue
                x = [p.clips for p in line]
                axes.plot(x, [p.uar for p in line], "o-", color=colour, label=TITLES[case])
                if case == ANY:
                    axes.fill_between(
                        x, [p.low for p in line], [p.high for p in line],
                        color=colour, alpha=0.15, linewidth=0,
                    )  # fmt: skip
            for case, style in ((NOBODY, "--"), (ALL, ":")):
                for point in (p for p in own if p.case == case):
                    axes.axhline(point.uar, color=GREY, linestyle=style, label=TITLES[case])
            axes.set_xscale("log", base=2)
            axes.set_xticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
            axes.set_xlabel("enrolled clips of the person")
            axes.set_title(system)
            axes.grid(axis="y")
        panels[0].set_ylabel("UAR on the person's other clips")
        panels[-1].legend(fontsize=8, loc="lower right")
        save_figure(figure, path)
