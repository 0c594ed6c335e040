"""Tables (.csv) of answers or of true values, by the column names that the field uses."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

from emollama.errors import EmollamaError
from emollama.evaluation.predictions import Prediction
from emollama.evaluation.wheel_words import split_words
from emollama.files import read_text
from emollama.labels import LabelSet

NAMES = ("name", "names", "id", "filename", "filenames", "sample")
LABELS = ("discrete", "emotion", "label")
WORDS = ("openset", "emotions")
VALENCES = ("valence", "val")
REASONS = ("reason", "reasons", "english", "eng_reasons", "chi_reasons", "chinese")
NO_VALENCE = -10.0
"""MER2023 writes it where a clip has no valence."""


def read_answers(path: Path, labels: LabelSet) -> list[Prediction]:
    """Rows of a csv of answers; a label outside the set is a parse failure, not an error.

    Raises:
        EmollamaError: no name column, none with answers, a name that stands twice.
    """
    return [_answer(row, labels) for _, row in _rows(path)]


def with_references(rows: list[Prediction], path: Path, labels: LabelSet) -> list[Prediction]:
    """The rows with what a csv of true values says of them; others stay without a reference.

    Raises:
        EmollamaError: as `read_answers`, a true label outside the set, or no name in common.
    """
    truths = {}
    for number, row in _rows(path):
        where = f"{path}:{number}"
        known: dict[str, Any] = {}
        if row.get("label"):
            known["reference"] = labels.require(row["label"], where)
        if "words" in row:
            known["reference_words"] = split_words(row["words"])
        if "valence" in row:
            known["reference_values"] = {"valence": row["valence"]}
        if row.get("reason"):
            known["reference_reason"] = row["reason"]
        truths[row["id"]] = known
    if not any(r.id in truths for r in rows):
        raise EmollamaError(f"{path}: has no name in common with the predictions")
    made = []
    for prediction in rows:
        update = truths.get(prediction.id, {})
        if "reference" in update and prediction.label is None and not prediction.parse_failure:
            # Words and reasons are answers of another kind; a label is not among them.
            update = {**update, "parse_failure": "no label in the file"}
        made.append(prediction.model_copy(update=update))
    return made


def _answer(row: dict[str, Any], labels: LabelSet) -> Prediction:
    given: dict[str, Any] = {"id": row["id"]}
    if "label" in row:
        word = row["label"]
        given["label"] = labels.canonical(word) or labels.parse(word)
        if given["label"] is None:
            given["parse_failure"] = "no one label in the answer" if word.strip() else "empty"
    if "words" in row:
        given["words"] = split_words(row["words"])
    if "valence" in row:
        given["values"] = {"valence": row["valence"]}
    if row.get("reason"):
        given["reason"] = row["reason"]
    return Prediction(**given)


def _rows(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """(line, {id, label, words, valence, reason}) of each row that names a clip."""
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""))
    columns = {(c or "").strip().lower(): c for c in reader.fieldnames or ()}

    def column(names: tuple[str, ...]) -> str | None:
        return next((columns[n] for n in names if n in columns), None)

    at = {"label": column(LABELS), "words": column(WORDS), "valence": column(VALENCES),
          "reason": column(REASONS)}  # fmt: skip
    name = column(NAMES)
    if name is None:
        raise EmollamaError(f"{path}:1: has no column of clips; one of: {', '.join(NAMES)}")
    if not any(at.values()):
        known = ", ".join((*LABELS, *WORDS, *VALENCES, *REASONS))
        raise EmollamaError(f"{path}:1: has no column of values; one of: {known}")
    found: list[tuple[int, dict[str, Any]]] = []
    seen: dict[str, int] = {}
    try:
        for row in reader:
            line = reader.line_num
            clip = (row[name] or "").strip()
            if not clip:
                raise EmollamaError(f"{path}:{line}: '{name}' is empty")
            if clip in seen:
                raise EmollamaError(f"{path}:{line}: '{clip}' is already on line {seen[clip]}")
            seen[clip] = line
            value: dict[str, Any] = {"id": clip}
            for key, where in at.items():
                if where is not None:
                    value[key] = row[where] or ""
            _valence(f"{path}:{line}", value)
            found.append((line, value))
    except csv.Error as error:
        raise EmollamaError(f"{path}:{reader.line_num}: is not csv: {error}") from error
    return found


def _valence(where: str, value: dict[str, Any]) -> None:
    """The valence as a number; taken out where there is none."""
    text = value.pop("valence", "").strip()
    if not text:
        return
    try:
        number = float(text)
    except ValueError as error:
        raise EmollamaError(f"{where}: valence '{text}' is not a number") from error
    if not math.isfinite(number):
        raise EmollamaError(f"{where}: valence '{text}' is not finite")
    if number != NO_VALENCE:
        value["valence"] = number
