"""The report of an evaluation: a pure function of predictions files.

`report.json` holds every number, `report.md` the tables, and the figures are drawn from
`report.json`'s content. No time and no machine's path goes in, so the same files give the same
bytes; each predictions file is named with its SHA-256.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.base.files import write_json, write_text
from emollama.manifest.channels import Channel
from emollama.manifest.labels import LabelSet
from emollama.scoring.metrics.bootstrap import LEVEL, RESAMPLES, Draws
from emollama.scoring.metrics.hallucination import Vocabulary
from emollama.scoring.metrics.label_scores import (
    confusion_matrix,
    label_cases,
    per_class,
    probability_cases,
    reliability,
)
from emollama.scoring.metrics.referee import Referee, referee
from emollama.scoring.metrics.scores import evaluate, paired_difference, require_metric
from emollama.scoring.metrics.twins import twins
from emollama.scoring.predictions.prediction import MODEL, Prediction
from emollama.scoring.predictions.predictions import Predictions, read_predictions
from emollama.scoring.predictions.systems import CHANCE, JOINT, LATE, MAJORITY, OF_REASONS
from emollama.scoring.report.curves import draw_curves
from emollama.scoring.report.figures import draw_figures
from emollama.scoring.report.findings import findings
from emollama.scoring.report.modality import modality_report
from emollama.scoring.report.reason_scores import beside, reason_scores
from emollama.scoring.report.tables import markdown

REPORT_VERSION = 1
UNPARSED = "unparsed"
DIGITS = 6
"""Decimals kept in `report.json`, so that the last bit of a sum does not change the file."""

_BESIDE = (JOINT, LATE, MAJORITY, CHANCE)


def report_from_files(
    model_predictions: Path,
    baseline_predictions: Path | None,
    out_dir: Path,
    *,
    metric: str = "weighted_f1",
    vocabulary: Vocabulary | None = None,
    **draws: Unpack[Draws],
) -> dict[str, Any]:
    """Read predictions files, write report.json, report.md and the figures; return the report.

    Figures: confusion.png, per_class.png, and where there is something to draw reliability.png,
    roc.png and pr.png (label scores) and modality.png (more than one channel set). The other
    arguments are those of `build_report`.
    """
    predictions = read_predictions(model_predictions)
    baselines = read_predictions(baseline_predictions) if baseline_predictions else None
    report = build_report(predictions, baselines, metric=metric, vocabulary=vocabulary, **draws)
    report["figures"] = [*draw_figures(report, out_dir), *draw_curves(predictions, out_dir)]
    write_json(out_dir / "report.json", report)
    write_text(out_dir / "report.md", markdown(report))
    return report


def build_report(
    predictions: Predictions,
    baselines: Predictions | None = None,
    *,
    metric: str = "weighted_f1",
    vocabulary: Vocabulary | None = None,
    **draws: Unpack[Draws],
) -> dict[str, Any]:
    """Everything a report says, as plain JSON values without NaN.

    Args:
        predictions: the model's rows; the headline is its largest set of channels.
        baselines: rows of other systems on the same samples.
        metric: the metric that channel sets and systems are compared by, one of `COMPARED`.
        vocabulary: of the corpus's clues; with it, and where rows hold reasons and the clips'
            clues, the report tells whether reasons are faithful.
        draws: see `Draws`. The seed is by default the run's own, from the predictions' header, so
            that re-scoring committed predictions gives the same intervals.

    Raises:
        EmollamaError: nothing to score, or files that do not belong together.
    """
    require_metric(metric)
    every = predictions.beside(baselines) if baselines else predictions
    labels = every.header.labels
    systems = every.systems()
    main = systems[0]
    full = every.channel_sets(main)[-1]
    rows = every.select(full, main)
    if not any(r.reference is not None for r in rows):
        where = predictions.path or "the predictions"
        raise EmollamaError(f"{where}: no row has a reference to score against")
    draws = {"resamples": RESAMPLES, "seed": every.header.seed, "by": "sample", **draws}
    further = [s for s in systems[1:] if s not in OF_REASONS]
    further.sort(key=lambda s: _BESIDE.index(s) if s in _BESIDE else -1)
    others = []
    for system in further:
        channels = every.channel_sets(system)[-1]
        theirs = every.select(channels, system)
        others.append(
            {
                "system": system,
                "channels": channels,
                "scores": evaluate(theirs, labels, **draws),
                "difference": paired_difference(rows, theirs, metric, labels, **draws),
            }
        )
    compared = [main, *(s for s in further if any(every.channel_sets(s)))]
    modality = modality_report(every, compared, metric, **draws)
    header = every.header
    report = {
        "report": REPORT_VERSION,
        "corpus": header.corpus,
        "split": header.split,
        "split_sha256": header.split_sha256,
        "label_set": header.labels.name,
        "labels": labels.labels,
        "system": main,
        "model": header.model,
        "config_hash": header.config_hash,
        "training_seed": header.seed if header.training_seed is None else header.training_seed,
        "files": _files(predictions, baselines),
        "settings": header.settings,
        "metric": metric,
        "bootstrap": {**draws, "level": LEVEL},
        "channels": full,
        "latency_ms": _latency(rows),
        **label_part(rows, labels, **draws),
        "others": others,
        "modality": modality,
        **vars(reason_scores(rows, labels, vocabulary, **draws)),
    }
    named_in = vocabulary.named_in if vocabulary else None
    alike = beside(every, full, rows, compared[1:])
    if reasoned := {s: its for s, its in alike.items() if any(r.reason for r in its)}:
        report["reasons_beside"] = {
            system: reason_scores(its, labels, vocabulary, **draws)
            for system, its in reasoned.items()
        }
    if judged := _referee(every, full, compared, draws):
        report["referee"] = judged
    if (paired := twins({main: rows, **alike}, named_in, **draws)) is not None:
        report["twins"] = paired
    made: dict[str, Any] = json.loads(json.dumps(plain(report), allow_nan=False))
    made["findings"] = findings(made)
    return made


def label_part(
    rows: Sequence[Prediction], labels: LabelSet, **draws: Unpack[Draws]
) -> dict[str, Any]:
    """Scores, failures, classes, confusion and reliability of one system's labels."""
    cases = label_cases(rows, labels)
    return {
        "scores": evaluate(rows, labels, **draws),
        "failures": cases.failures,
        "per_class": per_class(cases, labels, **draws),
        "confusion": {
            "rows": labels.labels,
            "columns": (*labels.labels, UNPARSED),
            "counts": confusion_matrix(cases).tolist(),
        },
        "reliability": reliability(probability_cases(rows, labels)),
    }


def _files(predictions: Predictions, baselines: Predictions | None) -> list[dict[str, Any]]:
    return [
        {"role": role, "name": p.path.name if p.path else None, "sha256": p.sha256}
        for role, p in ((MODEL, predictions), ("baseline", baselines))
        if p is not None
    ]


def _latency(rows: Sequence[Prediction]) -> dict[str, Any] | None:
    times = [r.latency_ms for r in rows if r.latency_ms is not None]
    if not times:
        return None
    median, slow = np.quantile(times, [0.5, 0.95])
    return {"n": len(times), "median": float(median), "p95": float(slow)}


def _referee(
    every: Predictions, channels: Sequence[Channel], systems: Sequence[str], draws: Draws
) -> dict[str, Referee]:
    """Of each system that answered with all channels and with each alone."""
    found = {}
    for system in systems:
        alone = [every.select((channel,), system) for channel in channels]
        if len(alone) > 1 and all(alone):
            found[system] = referee(every.select(channels, system), alone, **draws)
    return {system: one for system, one in found.items() if one is not None}


def plain(value: Any) -> Any:
    """Plain data of anything in a report, rounded."""
    if isinstance(value, float):
        return round(value, DIGITS)
    if hasattr(value, "to_dict"):
        return plain(value.to_dict())
    if is_dataclass(value):
        return plain(vars(value))
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value
