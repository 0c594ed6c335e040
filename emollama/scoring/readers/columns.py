"""Tables (.csv, .tsv) of answers or of true values, by the column names that the field uses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from emollama.base.csv_rows import records, separator_of
from emollama.base.encodings import read_encoded
from emollama.base.errors import EmollamaError
from emollama.manifest.labels import LabelSet
from emollama.scoring.predictions.checks import NO_VALENCE
from emollama.scoring.predictions.parsing import parse_words
from emollama.scoring.predictions.prediction import LONGEST_ID, Prediction
from emollama.scoring.wheels.wheel_words import split_words

NAMES = ("name", "names", "id", "filename", "filenames", "sample")
LABELS = ("discrete", "emotion", "label", "preference")
WORDS = ("openset", "emotions")
VALENCES = ("valence", "val")
REASONS = ("reason", "reasons", "english", "eng_reasons", "chi_reasons", "chinese")


def read_answers(path: Path, labels: LabelSet) -> list[Prediction]:
    """Rows of a csv of answers; a label outside the set is a parse failure, not an error.

    The text that a label was read from is kept, so that another parser can read it again.

    Raises:
        EmollamaError: no name column, none with answers, a name that occurs twice, or numbers in
            place of labels.
    """
    rows = read_table(path)
    said = [(line, row["label"].strip()) for line, row in rows if "label" in row]
    if said and all(word.isdecimal() and labels.canonical(word) is None for _, word in said):
        raise EmollamaError(
            f"{path}:{said[0][0]}: '{said[0][1]}' is a number, of which no order is known here; "
            f"write labels as words, of '{labels.name}': {', '.join(labels.labels)}"
        )
    return [_answer(row, labels) for _, row in rows]


def read_table(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """(line, {id, label, words, valence, reason}) of each row that names a clip.

    Columns may stand in any order; those that are not known are passed over. A line number is
    that of the row's beginning.

    Raises:
        EmollamaError: naming file and line: no column of clips or of values, a known column that
            occurs twice, a row with more or fewer cells than the header, an unclosed quote, a
            clip that is empty, too long or duplicated, a valence that is not a number.
    """
    table = rows_of(path)
    header, names = next(table, (1, []))
    spelled = [name.strip().lower() for name in names]

    def column(known: tuple[str, ...]) -> int | None:
        found = next((name for name in known if name in spelled), None)
        if found is None:
            return None
        if spelled.count(found) > 1:
            raise EmollamaError(f"{path}:{header}: column '{found}' occurs twice (case ignored)")
        return spelled.index(found)

    at = {"label": column(LABELS), "words": column(WORDS), "valence": column(VALENCES),
          "reason": column(REASONS)}  # fmt: skip
    name = column(NAMES)
    if name is None:
        raise EmollamaError(
            f"{path}:{header}: has no column of clip names; one of: {', '.join(NAMES)}"
        )
    if all(where is None for where in at.values()):
        values = ", ".join((*LABELS, *WORDS, *VALENCES, *REASONS))
        raise EmollamaError(
            f"{path}:{header}: has no column with answers; it must be one of: {values}"
        )
    found: list[tuple[int, dict[str, Any]]] = []
    seen: dict[str, int] = {}
    for line, cells in table:
        if len(cells) != len(names):
            raise EmollamaError(
                f"{path}:{line}: has {len(cells)} cells, the header {len(names)}; the "
                "file may be cut off, or a text is not quoted"
            )
        clip = cells[name].strip()
        if not clip:
            raise EmollamaError(f"{path}:{line}: '{names[name]}' is empty")
        if len(clip) > LONGEST_ID:
            raise EmollamaError(f"{path}:{line}: '{clip[:40]}...' is too long for a clip name")
        if clip in seen:
            raise EmollamaError(f"{path}:{line}: '{clip}' is already on line {seen[clip]}")
        seen[clip] = line
        value: dict[str, Any] = {"id": clip}
        value |= {key: cells[where] for key, where in at.items() if where is not None}
        _valence(f"{path}:{line}", value)
        found.append((line, value))
    return found


def rows_of(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of a table, the header first, in the encoding and with the separator it has.

    Raises:
        EmollamaError: it cannot be read, is not text, or has an unclosed quote.
    """
    text, _ = read_encoded(path)
    first = text.lstrip("\r\n").partition("\n")[0]
    return records(text, separator_of(first), path)


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
