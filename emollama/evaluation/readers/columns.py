"""Tables (.csv) of answers or of true values, by the column names that the field uses."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

from emollama.errors import EmollamaError
from emollama.evaluation.parsing import parse_words
from emollama.evaluation.predictions import LONGEST_ID, Prediction
from emollama.evaluation.wheel_words import split_words
from emollama.files import read_text
from emollama.labels import LabelSet

NAMES = ("name", "names", "id", "filename", "filenames", "sample")
LABELS = ("discrete", "emotion", "label", "preference")
WORDS = ("openset", "emotions")
VALENCES = ("valence", "val")
REASONS = ("reason", "reasons", "english", "eng_reasons", "chi_reasons", "chinese")
NO_VALENCE = -10.0
"""MER2023 writes it where a clip has no valence."""


def read_answers(path: Path, labels: LabelSet) -> list[Prediction]:
    """Rows of a csv of answers; a label outside the set is a parse failure, not an error.

    The text that a label was read from is kept, so that another parser can read it again.

    Raises:
        EmollamaError: no name column, none with answers, a name that stands twice.
    """
    return [_answer(row, labels) for _, row in read_table(path)]


def read_table(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """(line, {id, label, words, valence, reason}) of each row that names a clip.

    Columns may stand in any order; those that are not known are passed over.
    """
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
            if len(clip) > LONGEST_ID:
                raise EmollamaError(f"{path}:{line}: '{clip[:40]}...' is too long for a name")
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


def _answer(row: dict[str, Any], labels: LabelSet) -> Prediction:
    given: dict[str, Any] = {"id": row["id"]}
    if "label" in row:
        found = parse_words(row["label"], labels)
        given |= {"label": found.label, "parse_failure": found.failure, "answer": row["label"]}
    if "words" in row:
        given["words"] = split_words(row["words"])
    if "valence" in row:
        given["values"] = {"valence": row["valence"]}
    if row.get("reason"):
        given["reason"] = row["reason"]
    return Prediction(**given)


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
