"""Predictions held against the manifest they should be of: clips unknown and clips missing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from emollama.errors import EmollamaError, did_you_mean
from emollama.evaluation.predictions import Prediction, Predictions
from emollama.files import read_jsonl
from emollama.sample import Manifest, Sample

MISSING = "no row in the file"


def against_manifest(predictions: Predictions, manifest: Manifest) -> Predictions:
    """The predictions with the manifest's truths, and a failure for each clip that is missing.

    The clips are those of the header's split, of the whole manifest where it names none. Rows
    that are missing are added for the system that is scored, so that leaving out what is hard
    cannot raise a score.

    Raises:
        EmollamaError: other labels, a row of a clip that is not there (with its line), or a row
            whose truth is not the manifest's.
    """
    header, where = predictions.header, predictions.path or "the predictions"
    if set(header.labels.labels) != set(manifest.labels.labels):
        raise EmollamaError(
            f"{where}: its labels ({', '.join(header.labels.labels)}) are not those of "
            f"{manifest.path} ({', '.join(manifest.labels.labels)})"
        )
    samples = manifest.split(header.split) if header.split else manifest.samples
    known = {s.id: s for s in samples}
    rows = []
    for row in predictions.rows:
        if row.id not in known:
            raise EmollamaError(
                f"{_place(predictions, row.id)}: id '{row.id}' is not in {manifest.path}"
                f"{f', split {header.split}' if header.split else ''}"
                f"{did_you_mean(row.id, known) if len(known) < 10_000 else ''}"
            )
        rows.append(_with_truth(predictions, row, known[row.id]))
    system = predictions.systems()[0]
    channels = predictions.channel_sets(system)[-1]
    answered = {r.id for r in rows if r.system == system and r.channels == channels}
    for sample in samples:
        truth = _truth(sample)
        if sample.id not in answered and truth:
            rows.append(
                Prediction(
                    id=sample.id, channels=channels, system=system, group=sample.group,
                    parse_failure=MISSING, **truth,
                )
            )  # fmt: skip
    return replace(predictions, rows=tuple(rows))


def _with_truth(predictions: Predictions, row: Prediction, sample: Sample) -> Prediction:
    update: dict[str, Any] = {}
    for name, value in _truth(sample).items():
        mine = getattr(row, name)
        if mine is None:
            update[name] = value
        elif mine != value and name == "reference":
            raise EmollamaError(
                f"{_place(predictions, row.id)}: id '{row.id}' has {name} '{mine}', and in the "
                f"manifest it is '{value}'"
            )
    if "reference" in update and row.label is None and row.parse_failure is None:
        update["parse_failure"] = "no label in the file"
    return row.model_copy(update=update)


def _truth(sample: Sample) -> dict[str, Any]:
    targets = sample.targets
    values = {
        name: value
        for name in ("sentiment", "valence", "arousal")
        if (value := getattr(targets, name)) is not None
    }
    found = {
        "reference": targets.emotion,
        "reference_values": values or None,
        "reference_reason": targets.reason,
    }
    return {name: value for name, value in found.items() if value is not None}


def _place(predictions: Predictions, name: str) -> str:
    """File and line of the first row of an id; the file alone where it is no JSON Lines."""
    path = predictions.path
    if path is None or path.suffix != ".jsonl":
        return str(path or "the predictions")
    line = next((n for n, row in read_jsonl(path) if row.get("id") == name), 1)
    return f"{path}:{line}"
