"""ROC and precision-recall curves of label scores, one against the rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure

from emollama.base.drawing import GREY, STYLE, save_figure
from emollama.manifest.labels import LabelSet
from emollama.scoring.metrics.label_scores import probability_cases
from emollama.scoring.metrics.multilabel import ranked_cases
from emollama.scoring.metrics.ranking import (
    average_precision,
    precision_recall_curve,
    roc_auc,
    roc_curve,
)
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.predictions.predictions import Predictions

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000")
"""Okabe and Ito's; a ninth label starts again with dashes."""

Curve = tuple[str, np.ndarray, np.ndarray]
"""Label, truth [n] and scores [n] of it."""


def draw_curves(predictions: Predictions, out_dir: Path) -> list[str]:
    """Draw roc.png and pr.png where rows hold scores; return the names of the files.

    Labels that no row shows, or all do, have no curve. Figures of an earlier run that these
    predictions do not have are removed.
    """
    system, channels = predictions.headline()
    curves = label_curves(predictions.select(channels, system), predictions.header.labels)
    names = ("roc.png", "pr.png")
    for name in names:
        if not curves:
            (out_dir / name).unlink(missing_ok=True)
            continue
        with style.context(["default", STYLE]):
            save_figure(curve_figure(curves, roc=name == "roc.png"), out_dir / name)
    return list(names) if curves else []


def label_curves(rows: list[Prediction], labels: LabelSet) -> list[Curve]:
    """Each label's truth and scores: of one label a row, or of several."""
    several = any(r.reference_labels is not None for r in rows)
    cases = ranked_cases(rows, labels) if several else probability_cases(rows, labels)
    return [
        (label, truth, scores)
        for label, truth, scores in zip(labels.labels, cases.truth.T, cases.answer.T, strict=True)
        if truth.any() and not truth.all()
    ]


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
