"""How every figure looks and is written.

Drawn without pyplot (no global state), in Okabe and Ito's colours, which colour-blind readers can
tell apart. The files hold no date and no software version: the same numbers give the same bytes.
"""

from __future__ import annotations

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from emollama.base.files import atomic_path

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#E69F00", "#009E73", "#6E6E6E"
SKY, PURPLE = "#56B4E9", "#CC79A7"

STYLE = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "savefig.dpi": 150,
}
"""Use with `matplotlib.style.context(["default", STYLE])` around drawing and saving."""


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG, atomically."""
    FigureCanvasAgg(figure)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
