"""True values by clip, joined to the results of a system: a csv, or MERTools' label npz."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.manifest.labels import LabelSet
from emollama.scoring.predictions.checks import NO_VALENCE, NO_WORDS
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.readers.columns import read_table
from emollama.scoring.readers.npz import read_npz
from emollama.scoring.wheels.wheel_words import split_words

UNNAMED = "row{:06d}"
"""Id of the n-th row of a file that names no clips."""

_CORPUS = "_corpus"
Known = dict[str, Any]
"""Fields of a `Prediction` that are true of a clip."""


def with_references(rows: list[Prediction], path: Path, labels: LabelSet) -> list[Prediction]:
    """The rows with what `path` says is true of them; others stay without a reference.

    Where the rows name no clips (MERTools' result files of 2023 and 2024 do not), they are those of
    the one table with as many clips, in its order.

    Args:
        rows: of one system.
        path: csv by clip name, or npz of `train_corpus`, `test1_corpus`, ... as MERTools has them:
            dictionaries {name: {"emo": label, "val": valence}}.
        labels: the label set that true labels are of.

    Names that only one of the two has are told on stderr.

    Raises:
        EmollamaError: a file in neither form, a true label outside the set, no name in common,
            or unnamed rows that fit no table or several.
    """
    tables = _of_npz(path, labels) if path.suffix == ".npz" else [_of_csv(path, labels)]
    if [r.id for r in rows] == [UNNAMED.format(i) for i in range(len(rows))]:
        fitting = [t for t in tables if len(t) == len(rows)]
        if len(fitting) != 1:
            sizes = ", ".join(str(len(t)) for t in tables)
            raise EmollamaError(
                f"{path}: the {len(rows)} results have no clip names, so exactly one table must "
                f"have as many, in the same order; there are tables of {sizes}"
            )
        tables = fitting
        rows = [r.model_copy(update={"id": n}) for r, n in zip(rows, fitting[0], strict=True)]
    ids = {r.id for r in rows}
    shared = [t for t in tables if not ids.isdisjoint(t)]
    if not shared:
        raise EmollamaError(f"{path}: has no name in common with the predictions")
    truths = {name: known for table in shared for name, known in table.items()}
    for names, what in (
        (ids - truths.keys(), f"of {len(ids)} results are of clips that it does not name"),
        (truths.keys() - ids, f"of its {len(truths)} clips have no result and are not scored"),
    ):
        if names:
            print(f"note: {path}: {len(names)} {what}, e.g. '{min(names)}'", file=sys.stderr)
    return [_joined(row, truths.get(row.id, {})) for row in rows]


def _joined(row: Prediction, known: Known) -> Prediction:
    if "reference" in known and row.label is None and not row.parse_failure:
        # Words and reasons are answers of another kind; a label is not among them.
        why = NO_WORDS if row.words == () else "no label in the file"
        known = {**known, "parse_failure": why}
    return row.model_copy(update=known)


def _of_csv(path: Path, labels: LabelSet) -> dict[str, Known]:
    truths = {}
    for number, row in read_table(path):
        known: Known = {}
        if row.get("label"):
            known["reference"] = labels.require(row["label"], f"{path}:{number}")
        if "words" in row:
            known["reference_words"] = split_words(row["words"])
        if "valence" in row:
            known["reference_values"] = {"valence": row["valence"]}
        if row.get("reason"):
            known["reference_reason"] = row["reason"]
        truths[row["id"]] = known
    return truths


def _of_npz(path: Path, labels: LabelSet) -> Sequence[dict[str, Known]]:
    found = read_npz(path, lambda name: name.endswith(_CORPUS))
    if not found:
        raise EmollamaError(f"{path}: holds no <split>{_CORPUS} of true labels")
    return [_corpus(f"{path}: {name}", value, labels) for name, value in found.items()]


def _corpus(where: str, value: Any, labels: LabelSet) -> dict[str, Known]:
    if not isinstance(value, Mapping):
        raise EmollamaError(f"{where}: must be a dictionary of clips")
    truths = {}
    for name, given in value.items():
        if not isinstance(given, Mapping):
            raise EmollamaError(f"{where}: '{name}': must be a dictionary with 'emo' or 'val'")
        known: Known = {}
        if given.get("emo") not in (None, ""):
            known["reference"] = labels.require(str(given["emo"]), f"{where}: '{name}'")
        if given.get("val") not in (None, ""):
            try:
                number = float(given["val"])
            except (TypeError, ValueError):
                number = math.nan
            if not math.isfinite(number):
                raise EmollamaError(f"{where}: '{name}': 'val' is not a number")
            if number != NO_VALENCE:
                known["reference_values"] = {"valence": number}
        truths[str(name)] = known
    return truths
