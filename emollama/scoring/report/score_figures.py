"""Figures of `emollama score --metric`: what the rows hold, drawn as in a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Unpack

from emollama.scoring.metrics.bootstrap import Draws
from emollama.scoring.metrics.context import Context
from emollama.scoring.metrics.label_scores import per_class
from emollama.scoring.metrics.multilabel import set_cases
from emollama.scoring.predictions.predictions import Predictions
from emollama.scoring.report.curves import draw_curves
from emollama.scoring.report.figures import draw_figures
from emollama.scoring.report.report import label_part, plain

OF_LABELS = ("confusion.png", "per_class.png", "reliability.png")


def draw_score_figures(
    predictions: Predictions, context: Context, out_dir: Path, **draws: Unpack[Draws]
) -> list[str]:
    """Draw confusion, classes and reliability of labels, and ROC and PR curves of their scores.

    Of rows with several labels each, the bars of the labels and the curves. Names of the files
    are returned; those of an earlier run that these rows have nothing for are removed.

    Args:
        predictions: the first system's rows with its largest set of channels are drawn.
        context: label set and thresholds.
        out_dir: where the files go.
        draws: see `Draws`.
    """
    header = predictions.header
    system, channels = predictions.headline()
    rows = predictions.select(channels, system)
    part: dict[str, Any] = {"corpus": header.corpus, "split": header.split}
    names: tuple[str, ...] = ()
    if any(r.reference is not None for r in rows):
        names = OF_LABELS
        part |= plain(label_part(rows, context.labels, **draws))
    elif any(r.reference_labels is not None for r in rows):
        names = ("per_class.png",)
        cases = set_cases(rows, context.labels, context.thresholds)
        part |= {
            "per_class": plain(per_class(cases, context.labels, **draws)),
            "scores": {"accuracy": {"n_scored": len(cases.rows)}},
        }
    for name in OF_LABELS:
        if name not in names:
            (out_dir / name).unlink(missing_ok=True)
    return [*draw_figures(part, out_dir, names), *draw_curves(predictions, out_dir)]
