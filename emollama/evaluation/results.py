"""The results of an evaluation in its folder, for every kind of model."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.base.files import read_json, write_json
from emollama.endpoints.judge import CachedJudge
from emollama.evaluation.baseline import ChannelFeatures, baseline_predictions
from emollama.evaluation.config import EvalConfig
from emollama.evaluation.known_clues import vocabulary_of
from emollama.evaluation.trained_on import trained_on
from emollama.features.tracks import TrackReader, usable
from emollama.manifest.channels import CHANNELS, Channel
from emollama.manifest.sample import Manifest, Sample
from emollama.manifest.split_file import leakage
from emollama.runs.run_folder import read_record
from emollama.scoring.metrics.choosing import fitting
from emollama.scoring.metrics.context import Context
from emollama.scoring.predictions.prediction import Quantity, channel_sets
from emollama.scoring.predictions.predictions import Header, read_predictions, write_predictions
from emollama.scoring.predictions.systems import JOINT
from emollama.scoring.report.report import report_from_files
from emollama.scoring.report.scoring import (
    METRICS_FILE,
    REPORT_FILE,
    score_predictions,
    write_scores,
)
from emollama.scoring.wheels.wheel_tables import read_wheel_tables

PREDICTIONS_FILE = "predictions.jsonl"
BASELINE_FILE = "baseline.jsonl"
Template = Callable[[Sample, str], dict[str, Any]]
"""From a sample and a label to the fields of a prediction that give a reason for it."""
Lacks = Callable[[Sample, Sequence[Channel]], tuple[Channel, ...] | None]
"""From a sample and some channels to those that it does not have."""
TIMES_FILE = "times.json"
"""How long answers took: what a machine did, and so not among the predictions."""


@dataclass(frozen=True)
class Evaluated:
    """The content of report.json, and of its `metrics`; None if empty."""

    report: dict[str, Any] | None
    scores: dict[str, Any] | None


def asked_sets(known: Iterable[Channel], largest: int) -> list[tuple[Channel, ...]]:
    """The sets of channels to evaluate: those up to a size, and all together.

    `largest` is 2 for all sets (of three channels), 1 for single ones, 0 for all together alone.
    """
    given = set(known)
    present = [c for c in CHANNELS if c in given]
    return [c for c in channel_sets(present) if len(c) <= largest or len(c) == len(present)]


SET_SIZES = {"all": 2, "singles": 1, "none": 0}
"""`modality_report` to the size of the largest set beside all channels together."""


def header_of(
    config: EvalConfig, manifest: Manifest, folder: Path, left_out: int, tell: bool
) -> Header:
    """The header of the predictions of a model in `folder`, with warnings about the split."""
    settings = {"left out": str(left_out)}
    if config.data.limit:
        settings["limit"] = f"a quick look at no more than {config.data.limit} samples"
    settings |= split_warnings(config, manifest, folder, tell)
    return Header(
        labels=manifest.labels,
        corpus=manifest.corpus,
        split=config.data.split,
        split_sha256=manifest.split_sha256,
        model=config.model.as_posix(),
        config_hash=hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:16],
        seed=config.seed,
        training_seed=training_seed(folder),
        settings=settings,
    )


def training_seed(folder: Path) -> int | None:
    """The seed that a model was trained with; None where its training record does not say."""
    seed = (read_record(folder).get("config") or {}).get("seed")
    return seed if isinstance(seed, int) else None


def split_warnings(
    config: EvalConfig, manifest: Manifest, folder: Path, tell: bool
) -> dict[str, str]:
    """Warnings about the split, for the report; also printed on stderr."""
    found: dict[str, str] = {}
    if manifest.split_sha256 is not None:
        found = {f"{leak.kind} on both sides": str(leak) for leak in leakage(manifest.samples)}
    found |= trained_on(read_record(folder), manifest, config.data.split)
    for text in found.values() if tell else ():
        say(f"WARNING: {text}")
    return found


def write_baseline(
    config: EvalConfig,
    features_of: Callable[[list[Sample]], ChannelFeatures],
    manifest: Manifest,
    test: Sequence[Sample],
    readers: Mapping[str, TrackReader],
    header: Header,
    true_values: Callable[[Sample], dict[str, Quantity] | None],
    lacks: Lacks,
    template: Template | None = None,
) -> Path:
    """Fit the classical baselines on the same split; returns the file of their predictions.

    `features_of` returns the features of all training, validation and test samples, `true_values`
    the quantities beside a sample's label in the model's predictions, `lacks` the channels that it
    does not have. `template` returns fields with a reason for a sample and a label, which the joint
    regression gives beside its label.
    """
    train, _ = usable(manifest.split(config.data.train_split), readers)
    validation: list[Sample] = []
    if config.data.validation_split:
        validation, _ = usable(manifest.split(config.data.validation_split), readers)
    features = features_of([*train, *validation, *test])
    say("fitting the classical baselines")
    result = baseline_predictions(
        features, manifest.labels, train, test, validation,
        seed=config.seed, largest=SET_SIZES[config.modality_report],
    )  # fmt: skip
    settings = {**header.settings, **result.settings}
    path = config.output / BASELINE_FILE
    known = {s.id: true_values(s) for s in test}
    most = max((len(row.channels) for row in result.predictions), default=0)
    clips = {s.id: s for s in test}
    rows = []
    for row in result.predictions:
        fields: dict[str, Any] = {"reference_values": known[row.id]}
        fields["lacks"] = lacks(clips[row.id], row.channels)
        if template and row.label and (row.system, len(row.channels)) == (JOINT, most):
            fields |= template(clips[row.id], row.label)
        rows.append(row.model_copy(update=fields))
    write_predictions(path, header.model_copy(update={"settings": settings}), rows)
    return path


def write_times(output: Path, answers: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    """Write the milliseconds an answer took, by pass: their number, median and 95th percentile."""
    found = {}
    for name, given in answers.items():
        each = [float(answer["ms"]) for answer in given.values()]
        median, slow = np.quantile(each, [0.5, 0.95])
        found[name] = {"n": len(each), "median_ms": round(median, 3), "p95_ms": round(slow, 3)}
    write_json(output / TIMES_FILE, found)


def score(
    config: EvalConfig,
    baseline: Path | None,
    metrics: Sequence[str],
    judge: CachedJudge | None = None,
    thresholds: dict[str, float] | None = None,
) -> None:
    """Write report and metrics; remove outdated ones of an earlier evaluation.

    Without labels and without requested metrics, all metrics that the rows have the truth for are
    computed.

    Raises:
        EmollamaError: nothing can be scored; the predictions are written nevertheless.
    """
    path = config.output / PREDICTIONS_FILE
    predictions = read_predictions(path)
    header = predictions.header
    for name in (REPORT_FILE, METRICS_FILE):
        (config.output / name).unlink(missing_ok=True)
    wheel = read_wheel_tables(config.wheel) if config.wheel else None
    context = Context(header.labels, wheel, thresholds=thresholds, judge=judge)
    labelled = any(r.reference is not None for r in predictions.rows)
    report = None
    if labelled:
        report = report_from_files(
            path, baseline, config.output,
            metric=config.metric, resamples=config.bootstrap, seed=config.seed,
            vocabulary=vocabulary_of(header.corpus),
        )  # fmt: skip
    beyond = any(r.reference_values for r in predictions.rows)
    if not metrics and (not labelled or beyond):
        metrics = fitting(predictions.rows, context)
    if metrics:
        result = score_predictions(predictions, context, metrics, resamples=config.bootstrap)
        write_scores(config.output, result, report=report)
    elif config.task == "describe":
        say(f"score the lists of words: emollama score {path} --wheel DIR, or set wheel")
    elif not labelled:
        raise EmollamaError(
            f"{path}: only a judge can score explanations of clips without a label: set "
            "judge, or run emollama score with --metric clue_overlap --metric label_overlap"
        )


def read_results(output: Path) -> Evaluated:
    """The written report and metrics."""
    path = output / REPORT_FILE
    report = dict(read_json(path)) if path.is_file() else {}
    scores = report.pop("metrics", None)
    return Evaluated(report or None, scores)


def say(text: str) -> None:
    """A line on stderr."""
    print(text, file=sys.stderr, flush=True)
