"""The report of an evaluation: a pure function of predictions files.

`report.json` holds every number, `report.md` the tables, and the figures are drawn from
`report.json`'s content. No time and no machine's path goes in, so the same files give the same
bytes; each predictions file is named with its SHA-256.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.base.files import write_json, write_text
from emollama.manifest.labels import LabelSet
from emollama.scoring.metrics.bootstrap import LEVEL, RESAMPLES, By
from emollama.scoring.metrics.faithfulness import CluesIn, clue_faithfulness, label_naming
from emollama.scoring.metrics.metrics import (
    Difference,
    confusion_matrix,
    evaluate,
    paired_difference,
    per_class,
    reliability,
    require_metric,
)
from emollama.scoring.metrics.outcomes import Outcomes
from emollama.scoring.predictions.parsing import named_labels
from emollama.scoring.predictions.prediction import MODEL, Prediction, set_name
from emollama.scoring.predictions.predictions import Predictions, read_predictions
from emollama.scoring.predictions.systems import CHANCE, JOINT, LATE, MAJORITY
from emollama.scoring.report.curves import draw_curves
from emollama.scoring.report.figures import draw_figures
from emollama.scoring.report.modality import modality_report
from emollama.scoring.report.tables import METRIC_NAMES, markdown

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
    resamples: int = RESAMPLES,
    seed: int | None = None,
    by: By = "sample",
    clues_in: CluesIn | None = None,
) -> dict[str, Any]:
    """Read predictions files, write the report into `out_dir` and return it. See `build_report`."""
    model = read_predictions(model_predictions)
    baselines = read_predictions(baseline_predictions) if baseline_predictions else None
    return write_report(
        out_dir, model, baselines,
        metric=metric, resamples=resamples, seed=seed, by=by, clues_in=clues_in,
    )  # fmt: skip


def write_report(
    out_dir: Path,
    predictions: Predictions,
    baselines: Predictions | None = None,
    *,
    metric: str = "weighted_f1",
    resamples: int = RESAMPLES,
    seed: int | None = None,
    by: By = "sample",
    clues_in: CluesIn | None = None,
) -> dict[str, Any]:
    """Write report.json, report.md and the figures into `out_dir`; return the report.

    Figures: confusion.png, per_class.png, and where there is something to draw reliability.png,
    roc.png and pr.png (label scores) and modality.png (more than one channel set).
    """
    report = build_report(
        predictions, baselines,
        metric=metric, resamples=resamples, seed=seed, by=by, clues_in=clues_in,
    )  # fmt: skip
    report["figures"] = [*draw_figures(report, out_dir), *draw_curves(predictions, out_dir)]
    write_json(out_dir / "report.json", report)
    write_text(out_dir / "report.md", markdown(report))
    return report


def build_report(
    predictions: Predictions,
    baselines: Predictions | None = None,
    *,
    metric: str = "weighted_f1",
    resamples: int = RESAMPLES,
    seed: int | None = None,
    by: By = "sample",
    clues_in: CluesIn | None = None,
) -> dict[str, Any]:
    """Everything a report says, as plain JSON values without NaN.

    Args:
        predictions: the model's rows; the headline is its largest set of channels.
        baselines: rows of other systems on the same samples.
        metric: the metric that channel sets and systems are compared by (a key of `METRICS`).
        resamples: number of bootstrap resamples.
        seed: seed of the resampling; the run's own, from the predictions' header, when None, so
            that re-scoring committed predictions gives the same intervals.
        by: draw samples, or whole groups.
        clues_in: the clues that a reason names; with it, and where rows hold reasons and the
            clips' clues, the report tells whether reasons are faithful.

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
        raise EmollamaError(f"{where}: no row has a reference; there is nothing to score against")
    seed = every.header.seed if seed is None else seed
    options: dict[str, Any] = {"resamples": resamples, "seed": seed, "by": by}
    beside = sorted(systems[1:], key=lambda s: _BESIDE.index(s) if s in _BESIDE else -1)
    others = []
    for system in beside:
        channels = every.channel_sets(system)[-1]
        theirs = every.select(channels, system)
        others.append(
            {
                "system": system,
                "channels": channels,
                "scores": _plain(evaluate(theirs, labels, **options)),
                "difference": asdict(paired_difference(rows, theirs, metric, labels, **options)),
            }
        )
    compared = [main, *(s for s in beside if any(every.channel_sets(s)))]
    modality = modality_report(every, compared, metric, **options)
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
        "training_seed": header.seed,
        "files": _files(predictions, baselines),
        "settings": header.settings,
        "metric": metric,
        "bootstrap": {**options, "level": LEVEL},
        "channels": full,
        "latency_ms": _latency(rows),
        **label_part(rows, labels, **options),
        "others": others,
        "modality": asdict(modality),
        "faithfulness": _faithfulness(rows, clues_in, resamples, seed),
        "label_naming": _label_naming(rows, labels, resamples, seed),
    }
    plain: dict[str, Any] = json.loads(json.dumps(_rounded(report), allow_nan=False))
    plain["findings"] = _findings(plain)
    return plain


def label_part(
    rows: Sequence[Prediction], labels: LabelSet, **options: Any
) -> dict[str, Any]:  # fmt: skip
    """Scores, failures, classes, confusion and reliability of one system's labels.

    `options` are those of the bootstrap: resamples, seed, by.
    """
    outcomes = Outcomes.of(rows, labels)
    return {
        "scores": _plain(evaluate(rows, labels, **options)),
        "failures": outcomes.failures,
        "per_class": [asdict(c) for c in per_class(rows, labels, **options)],
        "confusion": {
            "rows": labels.labels,
            "columns": (*labels.labels, UNPARSED),
            "counts": confusion_matrix(outcomes).tolist(),
        },
        "reliability": [asdict(b) for b in reliability(rows, labels)],
    }


def _plain(scores: dict[str, Any]) -> dict[str, Any]:
    return {name: asdict(score) for name, score in scores.items()}


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


def _faithfulness(
    rows: Sequence[Prediction], clues_in: CluesIn | None, resamples: int, seed: int
) -> dict[str, Any] | None:
    rendered = {r.id: r.clues for r in rows if r.clues}
    reasons = {r.id: r.reason for r in rows if r.reason is not None and r.id in rendered}
    if clues_in is None or len(reasons) < 2:
        return None
    return asdict(clue_faithfulness(reasons, rendered, clues_in, seed=seed, resamples=resamples))


def _label_naming(
    rows: Sequence[Prediction], labels: LabelSet, resamples: int, seed: int
) -> dict[str, Any] | None:
    named = {r.id: named_labels(r.reason, labels) for r in rows if r.reason and r.reference}
    if len(named) < 2:
        return None
    references = {r.id: r.reference for r in rows if r.reference}
    return asdict(label_naming(named, references, seed=seed, resamples=resamples))


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, dict):
        return {key: _rounded(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(v) for v in value]
    return value


def _findings(report: dict[str, Any]) -> list[str]:
    """The comparisons in plain sentences, a loss as plainly as a gain."""
    metric = METRIC_NAMES[report["metric"]]
    sentences = []
    for other in report["others"]:
        if other["system"] in (JOINT, LATE):
            name = JOINT if other["system"] == JOINT else f"{LATE} of logistic regressions"
            sentences.append(
                f"The {report['system']} is {_stands(other['difference'])} the {name} on "
                f"{set_name(other['channels'])} in {metric}: {_numbers(other['difference'])}."
            )
    gain = report["modality"]["fusion_gain"].get(report["system"])
    if gain is not None:
        sentences.append(
            f"With {gain['a']} it is {_stands(gain['difference'])} its best single channel "
            f"({gain['b']}): {_numbers(gain['difference'])}."
        )
    if report["faithfulness"] is not None:
        difference = report["faithfulness"]["difference"]
        sentences.append(
            f"Its reasons are {_stands(difference)} the same reasons dealt to other clips in "
            f"clue F1: {_numbers(difference)}."
        )
    if report["label_naming"] is not None:
        named = report["label_naming"]
        sentences.append(
            f"Its reasons name the right label in {named['own']['value']:.3f} of clips, dealt to "
            f"other clips in {named['shuffled']['value']:.3f}: {_numbers(named['difference'])}."
        )
    failed = sum(report["failures"].values())
    if failed:
        n = report["scores"]["accuracy"]["n_scored"]
        sentences.append(f"{failed} of {n} answers named no label and count as wrong.")
    return sentences


def _stands(difference: dict[str, Any]) -> str:
    if difference["ci_low"] > 0:
        return "above"
    if difference["ci_high"] < 0:
        return "below"
    return "not distinguishable from"


def _numbers(difference: dict[str, Any]) -> str:
    d = Difference(**difference)
    return f"{d.value:+.3f} [{d.ci_low:+.3f}, {d.ci_high:+.3f}], p = {d.p:.3f}, n = {d.n}"
