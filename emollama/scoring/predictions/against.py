"""Compares predictions with their manifest: unknown clips and missing clips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.base.files import read_jsonl
from emollama.manifest.labels import LabelSet
from emollama.manifest.open_words import labels_of_words
from emollama.manifest.sample import Manifest, Sample, Targets
from emollama.manifest.split_file import SplitFile, apply_split
from emollama.scoring.predictions.checks import series
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.predictions.predictions import Predictions

MISSING = "no row in the file"
TOLERANCE = 1e-6
"""Relative tolerance: a value written with fewer digits is the same value."""


def with_its_splits(
    predictions: Predictions, manifest: Manifest, files: Sequence[SplitFile]
) -> Manifest:
    """The manifest with the splits that the predictions were made with.

    That is the split file whose SHA-256 stands in their header, and the manifest's own splits
    where it names none.

    Args:
        predictions: of one file.
        manifest: the corpus.
        files: split files to choose from, one a fold.

    Raises:
        EmollamaError: none of `files` is the header's, or there are some and it has none.
    """
    where, wanted = predictions.path or "the predictions", predictions.header.split_sha256
    if wanted is None:
        if files:
            raise EmollamaError(
                f"{where}: was not made with a split file, so {_names(files)} does not "
                "apply; leave --split-file out"
            )
        return manifest
    found = next((f for f in files if f.sha256 == wanted), None)
    if found is None:
        given = f"and {_names(files)} is another" if files else "which --split-file names"
        raise EmollamaError(
            f"{where}: was made with the split file of SHA-256 {wanted[:16]}..., {given}"
        )
    return apply_split(manifest, found)


def _names(files: Sequence[SplitFile]) -> str:
    return ", ".join(str(f.path) for f in files)


def against_manifest(predictions: Predictions, manifest: Manifest) -> Predictions:
    """The predictions with the manifest's truths, and a failure for each clip that is missing.

    The clips are those of the header's split, of the whole manifest where it names none; for
    splits of a split file see `with_its_splits`. Rows that are missing are added for the system
    that is scored, so that leaving out what is hard cannot raise a score.

    Raises:
        EmollamaError: other labels, a row of a clip that is not there (with its line), or a row
            whose truth is not the manifest's.
    """
    header, where = predictions.header, predictions.path or "the predictions"
    if set(header.labels.labels) != set(manifest.labels.labels):
        raise EmollamaError(
            f"{where}: its labels ({', '.join(header.labels.labels)}) differ from those "
            f"of {manifest.path} ({', '.join(manifest.labels.labels)})"
        )
    samples = manifest.split(header.split) if header.split else manifest.samples
    known = {s.id: s for s in samples}
    several = any(r.reference_labels is not None for r in predictions.rows)
    truths = {s.id: _truth(s, manifest.labels if several else None) for s in samples}
    rows = []
    for row in predictions.rows:
        if row.id not in known:
            raise EmollamaError(
                f"{_place(predictions, row.id)}: id '{row.id}' is not in {manifest.path}"
                f"{f', split {header.split}' if header.split else ''}"
                f"{did_you_mean(row.id, known) if len(known) < 10_000 else ''}"
            )
        rows.append(_with_truth(predictions, row, truths[row.id]))
    system, channels = predictions.headline()
    answered = {r.id for r in rows if r.system == system and r.channels == channels}
    for sample in samples:
        truth = truths[sample.id]
        if sample.id not in answered and truth:
            rows.append(
                Prediction(
                    id=sample.id, channels=channels, system=system, group=sample.group,
                    parse_failure=MISSING, **truth,
                )
            )  # fmt: skip
    return replace(predictions, rows=tuple(rows))


def _with_truth(predictions: Predictions, row: Prediction, truth: dict[str, Any]) -> Prediction:
    update: dict[str, Any] = {}
    for name, value in truth.items():
        mine = getattr(row, name)
        if mine is None:
            update[name] = value
        elif name == "reference_values":
            for quantity in sorted(value.keys() & mine.keys()):
                own = series(mine[quantity])
                # One number a frame is another truth than one of the clip.
                if len(own) == 1 and not _close(own[0], value[quantity]):
                    raise _contradiction(
                        predictions, row, f"{name}.{quantity}", own[0], value[quantity]
                    )
            update[name] = {**value, **mine}
        elif name == "reference_labels" and set(mine) != set(value):
            raise _contradiction(predictions, row, name, ", ".join(mine), ", ".join(value))
        elif name == "reference_votes" and not _same_shares(mine, value):
            raise _contradiction(predictions, row, name, mine, value)
        elif name == "reference_words" and {w.lower() for w in mine} != {w.lower() for w in value}:
            raise _contradiction(predictions, row, name, ", ".join(mine), ", ".join(value))
        elif name == "reference" and mine != value:
            raise _contradiction(predictions, row, name, mine, value)
    if "reference" in update and row.label is None and row.parse_failure is None:
        update["parse_failure"] = "no label in the file"
    return row.model_copy(update=update)


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _same_shares(a: dict[str, float], b: dict[str, float]) -> bool:
    return all(_close(a.get(x, 0.0), b.get(x, 0.0)) for x in {*a, *b})


def _contradiction(
    predictions: Predictions, row: Prediction, name: str, mine: object, value: object
) -> EmollamaError:
    return EmollamaError(
        f"{_place(predictions, row.id)}: id '{row.id}' has {name} '{mine}', but "
        f"'{value}' in the manifest"
    )


def _truth(sample: Sample, several: LabelSet | None) -> dict[str, Any]:
    """What a row may hold of a sample's truth; its labels of the set `several`, if it is given."""
    targets = sample.targets
    values = {
        name: value
        for name in ("sentiment", "valence", "arousal")
        if (value := getattr(targets, name)) is not None
    }
    found = {
        "reference": targets.emotion,
        "reference_values": values or None,
        "reference_labels": _shown(targets, several) if several else None,
        "reference_votes": targets.shares(),
        "reference_words": targets.words,
        "reference_reason": targets.reason,
    }
    return {name: value for name, value in found.items() if value is not None}


def _shown(targets: Targets, labels: LabelSet) -> tuple[str, ...] | None:
    """Labels of intensities above 0, else those of the words, in the set's order; None without."""
    if targets.emotions is None:
        return labels_of_words(targets.words, labels)
    found = {labels.canonical(name) for name, value in targets.emotions.items() if value > 0}
    return tuple(x for x in labels.labels if x in found)


def _place(predictions: Predictions, name: str) -> str:
    """File and line of the first row of an id; the file alone where it is no JSON Lines."""
    path = predictions.path
    if path is None or path.suffix != ".jsonl":
        return str(path or "the predictions")
    line = next((n for n, row in read_jsonl(path) if row.get("id") == name), 1)
    return f"{path}:{line}"
