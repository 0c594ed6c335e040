"""Figures of a report: confusion, reliability, per class, channels."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

from emollama.base.drawing import BLUE, GREEN, GREY, ORANGE, STYLE, save_figure
from emollama.scoring.predictions.systems import JOINT, LATE, MAJORITY
from emollama.scoring.report.tables import METRIC_NAMES, report_title

FEW = 10
"""A reliability bin with fewer clips is drawn pale: its height says little."""


def draw_figures(
    report: dict[str, Any], out_dir: Path, names: Collection[str] | None = None
) -> list[str]:
    """Draw what there is to draw into `out_dir`; return the names of the files.

    Args:
        report: what `build_report` gives, or as much of it as the figures need.
        out_dir: figures of an earlier report that this one has not, are removed there.
        names: keys of `FIGURES`; all by default.
    """
    drawn = []
    for name, (draw, wanted) in FIGURES.items():
        if names is not None and name not in names:
            continue
        path = out_dir / name
        if not wanted(report):
            path.unlink(missing_ok=True)
            continue
        with style.context(["default", STYLE]):
            save_figure(draw(report), path)
        drawn.append(name)
    return drawn


def confusion_figure(report: dict[str, Any]) -> Figure:
    """Counts, shaded by the share of the row's reference; an extra column if any is unparsed."""
    confusion = report["confusion"]
    size = len(confusion["rows"])
    width = size + (1 if report["failures"] else 0)
    counts = np.array(confusion["counts"])[:, :width]
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    cell = 0.72
    figure = Figure(figsize=(2.9 + cell * width, 1.65 + cell * size), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="equal")
    for i, j in np.ndindex(*counts.shape):
        if counts[i, j]:
            dark = shares[i, j] > 0.55
            axes.text(
                j, i, f"{counts[i, j]}\n{shares[i, j]:.0%}", ha="center", va="center",
                fontsize=8.5, color="white" if dark else "black", linespacing=1.1,
            )  # fmt: skip
    axes.set_xticks(range(width), confusion["columns"][:width], rotation=40, ha="right",
                    rotation_mode="anchor")  # fmt: skip
    support = counts.sum(1)
    axes.set_yticks(
        range(size), [f"{x} ({n})" for x, n in zip(confusion["rows"], support, strict=True)]
    )
    axes.set_xlabel("answer")
    axes.set_ylabel("reference (clips)")
    if width > size:
        axes.axvline(size - 0.5, color="black", linewidth=1.2)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    bar = figure.colorbar(image, ax=axes, shrink=0.75, label="share of the reference's clips")
    bar.outline.set_visible(False)
    axes.set_title(_title(report, "Confusion"))
    return figure


def reliability_figure(report: dict[str, Any]) -> Figure:
    """Accuracy against confidence in 15 bins, and how many clips each bin holds."""
    bins = [b for b in report["reliability"] if b["count"]]
    centres = [(b["low"] + b["high"]) / 2 for b in bins]
    width = bins[0]["high"] - bins[0]["low"]
    figure = Figure(figsize=(5.2, 5.6), layout="constrained")
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=[3.4, 1])
    axes.grid(axis="y")
    axes.plot([0, 1], [0, 1], linestyle="--", color=GREY, label="perfectly calibrated")
    drawn = axes.bar(
        centres, [b["accuracy"] for b in bins], width=width * 0.92, color=BLUE,
        label=f"share right (pale: fewer than {FEW} clips)",
    )  # fmt: skip
    for patch, b in zip(drawn, bins, strict=True):
        patch.set_alpha(0.35 if b["count"] < FEW else 1.0)
    axes.plot(
        centres, [b["confidence"] for b in bins], linestyle="none", marker="_", markersize=15,
        markeredgewidth=3, color=ORANGE, label="mean confidence",
    )  # fmt: skip
    axes.set_ylim(0, 1)
    axes.set_xlim(0, 1)
    axes.set_ylabel("share right")
    for handle in axes.legend(loc="upper left", fontsize=9).legend_handles:
        if handle is not None:
            handle.set_alpha(1.0)
    ece = report["scores"]["ece"]
    axes.set_title(
        f"{_title(report, 'Reliability')}\n"
        f"ECE {ece['value']:.3f} [{ece['ci_low']:.3f}, {ece['ci_high']:.3f}], "
        f"{ece['n_scored']} clips with scores"
    )
    below.grid(axis="y")
    below.bar(centres, [b["count"] for b in bins], width=width * 0.92, color=GREY)
    below.set_ylabel("clips")
    below.set_xlabel("confidence (highest label probability)")
    return figure


def per_class_figure(report: dict[str, Any]) -> Figure:
    """Precision, recall and F1 of each label, F1 with its interval."""
    classes = report["per_class"]
    figure = Figure(figsize=(2.8 + 0.95 * len(classes), 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(axis="y")
    places = np.arange(len(classes))
    kinds = (("precision", BLUE), ("recall", ORANGE), ("f1", GREEN))
    for k, (kind, colour) in enumerate(kinds):
        values = [c[kind] or 0.0 for c in classes]
        name = "F1 (95 % interval)" if kind == "f1" else kind
        axes.bar(places + (k - 1) * 0.27, values, width=0.25, color=colour, label=name)
    known = [(p, c) for p, c in zip(places, classes, strict=True) if c["f1"] is not None]
    _whiskers(
        axes,
        np.array([p + 0.27 for p, _ in known]),
        [{"value": c["f1"], "ci_low": c["f1_low"], "ci_high": c["f1_high"]} for _, c in known],
    )
    axes.set_xticks(places, [f"{c['label']}\n({c['support']})" for c in classes])
    axes.set_xlim(-0.6, len(classes) - 0.4)
    axes.set_ylim(0, 1)
    axes.set_xlabel("label (clips)")
    _head(axes, _title(report, "Per class"))
    return figure


def modality_figure(report: dict[str, Any]) -> Figure:
    """The score of each channel set: the model, and logistic regression on the same features."""
    rows = report["modality"]["rows"]
    main = report["system"]
    bars = [
        (s, c) for s, c in ((main, BLUE), (JOINT, ORANGE)) if any(s in r["scores"] for r in rows)
    ]
    figure = Figure(figsize=(max(6.2, 2.2 + 1.15 * len(rows)), 4.6), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(axis="y")
    places = np.arange(len(rows))
    width = 0.76 / len(bars)
    for k, (system, colour) in enumerate(bars):
        held = [(p, r["scores"][system]) for p, r in zip(places, rows, strict=True)
                if system in r["scores"]]  # fmt: skip
        x = np.array([p + (k - (len(bars) - 1) / 2) * width for p, _ in held])
        axes.bar(x, [s["value"] for _, s in held], width=width * 0.94, color=colour, label=system)
        _whiskers(axes, x, [s for _, s in held])
        for place, (_, score) in zip(x, held, strict=True):
            axes.text(
                place, score["value"] / 2, f"{score['value']:.2f}", ha="center", va="center",
                fontsize=9,
                color="white" if colour == BLUE else "black",
            )  # fmt: skip
    late = [(p, r["scores"][LATE]["value"]) for p, r in zip(places, rows, strict=True)
            if LATE in r["scores"]]  # fmt: skip
    if late:
        right = (len(bars) - 1) / 2 * width + width * 0.3
        axes.plot(
            [p + right for p, _ in late], [v for _, v in late], linestyle="none", marker="D",
            markersize=6, color="white", markeredgecolor="black", label=f"{LATE} of its channels",
        )  # fmt: skip
    floor = [o for o in report["others"] if o["system"] == MAJORITY]
    if floor:
        value = floor[0]["scores"][report["metric"]]["value"]
        axes.axhline(value, color=GREY, linestyle="--", linewidth=1.2, zorder=0.9, label=MAJORITY)
    names = ["\n+ ".join(r["channels"]) for r in rows]
    axes.set_xticks(places, names)
    axes.set_ylim(0, 1)
    axes.set_ylabel(METRIC_NAMES[report["metric"]])
    _head(axes, _title(report, "Channels present"))
    return figure


def _head(axes: Axes, title: str) -> None:
    """The title, and the legend in one line between it and the axes."""
    axes.set_title(title, pad=28)
    handles, names = axes.get_legend_handles_labels()
    order = sorted(range(len(handles)), key=lambda i: not isinstance(handles[i], BarContainer))
    axes.legend(
        [handles[i] for i in order],
        [names[i] for i in order],
        loc="lower left",
        bbox_to_anchor=(-0.01, 0.995),
        ncols=4,
        fontsize=9,
        columnspacing=1.4,
    )


def _whiskers(axes: Axes, places: np.ndarray, scores: list[dict[str, Any]]) -> None:
    # A percentile interval of a skewed metric need not hold its point value.
    values = np.array([s["value"] for s in scores])
    low = np.maximum(values - [s["ci_low"] for s in scores], 0)
    high = np.maximum([s["ci_high"] for s in scores] - values, 0)
    axes.errorbar(
        places, values, yerr=[low, high], fmt="none", ecolor="black", elinewidth=1.1, capsize=2.5
    )


def _title(report: dict[str, Any], subject: str) -> str:
    return f"{subject}: {report_title(report)}"


FIGURES: dict[str, tuple[Callable[[dict[str, Any]], Figure], Callable[[dict[str, Any]], bool]]] = {
    "confusion.png": (confusion_figure, lambda r: True),
    "per_class.png": (per_class_figure, lambda r: True),
    "reliability.png": (reliability_figure, lambda r: r["scores"]["ece"]["value"] is not None),
    "modality.png": (modality_figure, lambda r: len(r["modality"]["rows"]) > 1),
}
"""File name: how it is drawn, and whether a report has something to draw."""
