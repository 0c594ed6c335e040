"""Evaluation of a fusion model: the same predictions and report as of an LLM."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from emollama.base.device import default_device
from emollama.base.errors import EmollamaError
from emollama.evaluation.baseline import FeatureMatrix, pool_tracks
from emollama.evaluation.config import EvalConfig
from emollama.evaluation.results import (
    PREDICTIONS_FILE,
    SET_SIZES,
    Evaluated,
    asked_sets,
    header_of,
    limited,
    read_results,
    say,
    score,
    write_baseline,
)
from emollama.features.tracks import TrackReader
from emollama.fusion import artefact
from emollama.fusion.answers import Answers, answers
from emollama.fusion.artefact import FusionArtefact
from emollama.fusion.data.data import FusionData, read_data, reopen_modalities
from emollama.fusion.data.targets import shown_labels
from emollama.fusion.training.answering import answering
from emollama.manifest.channels import Channel
from emollama.manifest.labels import LabelSet
from emollama.manifest.sample import Manifest, Sample
from emollama.manifest.split_file import read_with_splits
from emollama.runs.run_folder import tell_left_out
from emollama.scoring.metrics.registry import chosen
from emollama.scoring.metrics.thresholds import THRESHOLD
from emollama.scoring.predictions.prediction import Prediction, Quantity, channel_truth, set_name
from emollama.scoring.predictions.predictions import write_predictions
from emollama.workers.ranks import joined_ranks


def evaluate_fusion(config: EvalConfig) -> Evaluated:
    """Ask a fusion model about a split with every set of channels, and write the report.

    Writes `predictions.jsonl`, for single labels `baseline.jsonl` (logistic regression on the same
    features), and report or metrics into `config.output`. Under torchrun rank 0 does it all.

    Raises:
        EmollamaError: for whatever is the user's to mend.
    """
    _require_labels_by_score(config)
    with joined_ranks() as ranks:
        if ranks.rank == 0:
            _evaluate(config)
        ranks.barrier()
    return read_results(config.output)


def _evaluate(config: EvalConfig) -> None:
    metrics = chosen(config.metrics)
    device = default_device()
    model = artefact.load(config.model, device)
    manifest = read_with_splits(config.data.manifest, config.data.split_file)
    columns = label_columns(config, model, manifest)
    sections = model.sections
    readers = reopen_modalities(config.data.store, sections, config.data.features)
    data = read_data(
        manifest, config.data.split, model.config.goal, model.about.labels, sections, readers,
        samples=limited(config, manifest.split(config.data.split)), known_only=False,
    )  # fmt: skip
    tell_left_out(data.left_out, say)
    for note in data.notes:
        say(note)
    header = header_of(config, manifest, config.model, len(data.left_out), True)
    answer = answering(model)
    rows: list[Prediction] = []
    for channels in asked_sets((s.channel for s in sections), SET_SIZES[config.modality_report]):
        hidden = [s.name for s in sections if s.channel not in channels]
        started = time.monotonic()
        found = answers(model.config, answer, data.in_order(), device, hidden)
        seconds = time.monotonic() - started
        say(f"{set_name(channels)}: {len(data)} samples in {seconds:.1f} s")
        more: dict[str, Any] = {"latency_ms": round(1000 * seconds / len(data), 3)}
        if config.data.fold is not None:
            more["fold"] = str(config.data.fold)
        rows += predictions(model, manifest.labels, columns, data, found, channels, more)
    write_predictions(config.output / PREDICTIONS_FILE, header, rows)
    baseline = None
    single = model.config.goal.kind in ("label", "label+values")
    if config.baseline and single and not readers:
        say("no classical baselines: no modality is a cached track")
    elif config.baseline and single:
        features_of = partial(_features, model, readers)
        baseline = write_baseline(config, features_of, manifest, data.samples, readers, header)
    score(config, baseline, metrics)


def label_columns(config: EvalConfig, model: FusionArtefact, manifest: Manifest) -> list[int]:
    """Columns of the manifest's labels among the model's.

    Raises:
        EmollamaError: the manifest has a label that the model does not know.
    """
    if not model.config.goal.has_labels:
        return []
    trained, asked = list(model.config.labels), manifest.labels.labels
    if not set(asked) <= set(trained):
        raise EmollamaError(
            f"{config.model}: was trained on the labels {', '.join(trained)}, "
            f"{config.data.manifest} has {', '.join(asked)}"
        )
    return [trained.index(label) for label in asked]


def predictions(
    model: FusionArtefact,
    labels: LabelSet,
    columns: Sequence[int],
    data: FusionData,
    found: Answers,
    channels: Sequence[Channel],
    more: dict[str, Any],
) -> list[Prediction]:
    """Rows of one set of channels, in the order of the samples."""
    goal = model.config.goal
    rows = []
    for i, sample in enumerate(data.samples):
        fields = dict(more)
        if found.values is not None:
            times = None if found.times is None else found.times[i]
            fields |= _values(model, data, i, found.values[i], times)
        if found.labels is not None and goal.kind != "labels":
            kept = found.labels[i, columns]
            rows.append(
                Prediction.scored(sample, labels, (kept / kept.sum()).tolist(), channels, **fields)
            )
            continue
        if found.labels is not None:
            fields |= _labels(model, labels, sample, found.labels[i, columns])
        rows.append(
            Prediction(
                id=sample.id,
                channels=tuple(channels),
                truth=channel_truth(sample, labels),
                group=sample.group,
                **fields,
            )
        )
    return rows


def _labels(
    model: FusionArtefact, labels: LabelSet, sample: Sample, scores: np.ndarray
) -> dict[str, Any]:
    """Every label with its score; those that reach their threshold are the answer."""
    rounded = {x: float(f"{p:.5g}") for x, p in zip(labels.labels, scores, strict=True)}
    limits = {x: model.about.thresholds.get(x, THRESHOLD) for x in labels.labels}
    truth = shown_labels(sample, labels)
    # Compared before rounding: the threshold is a score that occurred.
    return {
        "labels": tuple(x for x, p in zip(labels.labels, scores, strict=True) if p >= limits[x]),
        "label_scores": rounded,
        "reference_labels": None
        if truth is None or set(truth) != set(labels.labels)
        else tuple(x for x in labels.labels if truth[x]),
    }


def _values(
    model: FusionArtefact,
    data: FusionData,
    row: int,
    answer: np.ndarray,
    times: np.ndarray | None,
) -> dict[str, Any]:
    """Answered and true quantities; of frames, those that are annotated (all where none is)."""
    names = model.config.goal.values
    if times is None:
        target = data.targets.whole["values"]
        known = {
            name: float(target.values[row, k])
            for k, name in enumerate(names)
            if target.valid[row, k]
        }
        return {
            "values": {name: float(answer[k]) for k, name in enumerate(names)},
            "reference_values": known or None,
        }
    truth = data.targets.frames[row].astype(float)
    told = ~np.isnan(truth).any(1)
    fields: dict[str, Any] = {}
    if told.any():
        answer, times = answer[told], times[told]
        fields["reference_values"] = tracks_of(names, truth[told])
    # What is present decides whether there is an answer, never which frames are scored.
    if len(answer) and not np.isnan(answer).any():
        fields["times"] = tuple(round(float(t), 4) for t in times)
        fields["values"] = tracks_of(names, answer)
    return fields


def tracks_of(names: Sequence[str], columns: np.ndarray) -> dict[str, Quantity]:
    """Values over time [L, K] by name, to six significant digits: a float32 holds no more."""
    return {
        name: tuple(float(f"{x:.6g}") for x in columns[:, k].tolist())
        for k, name in enumerate(names)
    }


def _features(
    model: FusionArtefact, readers: Mapping[str, TrackReader], samples: Sequence[Sample]
) -> dict[Channel, list[FeatureMatrix]]:
    """The cached tracks among the modalities, one vector a clip."""
    ids = [s.id for s in samples]
    features: dict[Channel, list[FeatureMatrix]] = {}
    for section in model.config.sections:
        if section.name not in readers:
            continue
        pooled = pool_tracks(
            section.name, readers[section.name], ids, deviation=section.pool == "mean+std"
        )
        features.setdefault(section.channel, []).append(pooled)
    return features


def _require_labels_by_score(config: EvalConfig) -> None:
    for key, given in (
        ("task", config.task == "reason"),
        ("answers.by", config.answers.by == "text"),
        ("reasons.count", config.reasons.count > 0),
    ):
        if given:
            raise EmollamaError(
                f"{config.model}: is a fusion model, which writes no text; leave {key} out"
            )
