"""ROC and precision-recall curves of label scores, one against the rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from emollama.base.files import atomic_path
from emollama.manifest.labels import LabelSet
from emollama.scoring.metrics.ranking import (
    average_precision,
    precision_recall_curve,
    roc_auc,
    roc_curve,
)
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.predictions.predictions import Predictions
from emollama.scoring.report.figures import GREY, STYLE

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000")
"""Okabe and Ito's; a ninth label starts again with dashes."""

Curve = tuple[str, np.ndarray, np.ndarray]
"""Label, truth [n] and scores [n] of it."""


def draw_curves(predictions: Predictions, out_dir: Path) -> list[str]:
    """Draw roc.png and pr.png where rows hold scores; return the names of the files.

    Labels that no row shows, or all do, have no curve. Figures of an earlier run that these
    predictions do not have are removed.
    """
    system = predictions.systems()[0]
    rows = predictions.select(predictions.channel_sets(system)[-1], system)
    curves = label_curves(rows, predictions.header.labels)
    drawn = []
    for name in ("roc.png", "pr.png"):
        path = out_dir / name
        if not curves:
            path.unlink(missing_ok=True)
            continue
        with style.context(["default", STYLE]):
            figure = curve_figure(curves, roc=name == "roc.png")
            FigureCanvasAgg(figure)
            with atomic_path(path) as temporary:
                figure.savefig(temporary, format="png", metadata={"Software": None})
        drawn.append(name)
    return drawn


def label_curves(rows: list[Prediction], labels: LabelSet) -> list[Curve]:
    """Each label's truth and scores: of one label a row, or of several."""
    several = any(r.reference_labels is not None for r in rows)
    if several:
        kept = [r for r in rows if r.reference_labels is not None and r.label_scores]
    else:
        kept = [r for r in rows if r.reference is not None and r.scores]
    found = []
    for label in labels.labels:
        truth = np.array(
            [label in (r.reference_labels or ()) if several else r.reference == label for r in kept]
        )
        scores = np.array([(r.label_scores if several else r.scores or {})[label] for r in kept])  # type: ignore[index]
        if truth.any() and not truth.all():
            found.append((label, truth, scores))
    return found


def curve_figure(curves: list[Curve], roc: bool) -> Figure:
    """One line a label, its area (AUC) or average precision in the legend."""
    figure = Figure(figsize=(6.4, 5.0), layout="constrained")
    axes = figure.add_subplot()
    axes.grid()
    for k, (label, truth, scores) in enumerate(curves):
        every = np.ones((1, len(truth)))
        if roc:
            x, y = roc_curve(truth, scores)
            area = roc_auc(truth, scores, every)[0]
        else:
            y, x = precision_recall_curve(truth, scores)
            area = average_precision(truth, scores, every)[0]
        axes.plot(
            x, y, color=COLOURS[k % len(COLOURS)], linestyle="-" if k < len(COLOURS) else "--",
            drawstyle="default" if roc else "steps-pre",
            label=f"{label} {area:.2f} (n = {int(truth.sum())})",
        )  # fmt: skip
    if roc:
        axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="chance")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.01)
    axes.set_xlabel("false positive rate" if roc else "recall")
    axes.set_ylabel("true positive rate" if roc else "precision")
    axes.set_title("ROC, each label against the rest" if roc else "Precision and recall by label")
    axes.legend(loc="lower right" if roc else "lower left", fontsize=8)
    return figure
