"""Answers of `emollama predict`: the table of --out (.csv, .jsonl), or the printed lines of --json.

Their true values are in the manifest that was asked about.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from emollama.base.csv_rows import finite
from emollama.base.errors import EmollamaError
from emollama.base.files import read_jsonl
from emollama.manifest.labels import LabelSet, label_set
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.readers.columns import rows_of

PREDICT = "predict"
KEYS = frozenset({"clip", "file", "channels", "notes"})
"""What such a row has, and no other file that is scored."""

Line = tuple[str, Mapping[str, Any]]
"""Its place and the answer as in JSON."""


def read_predict_rows(path: Path) -> tuple[list[Prediction], LabelSet]:
    """The answers, and the model's label set.

    The id is that of the manifest's sample; of a clip that was named by its file, the file's name
    without suffix. A clip that could not be answered is a failure.

    Raises:
        EmollamaError: naming the line: a row of another kind, other labels than in the first, or a
            clip that occurs twice.
    """
    lines = list(_of_csv(path) if path.suffix.lower() == ".csv" else _of_jsonl(path))
    labels = tuple(next((a["scores"] for _, a in lines if a.get("scores")), ()))
    rows: list[Prediction] = []
    seen: dict[str, str] = {}
    for where, answer in lines:
        if set(answer.get("scores") or labels) != set(labels):
            raise EmollamaError(f"{where}: has other labels than the rows before; score each model "
                                "by itself")  # fmt: skip
        row = _prediction(answer)
        if row.id in seen:
            raise EmollamaError(
                f"{where}: '{row.id}' is already at {seen[row.id]}; ask about the manifest, whose "
                "ids are different"
            )
        seen[row.id] = where
        rows.append(row)
    return rows, label_set(path.stem, *labels)


def _prediction(answer: Mapping[str, Any]) -> Prediction:
    clip = str(answer["clip"])
    given: dict[str, Any] = {"id": Path(clip).stem if clip == answer["file"] else clip}
    if answer.get("error"):
        return Prediction(**given, parse_failure=str(answer["error"]))
    scores = answer.get("scores") or None
    if answer.get("labels") is not None:
        given |= {"labels": answer["labels"], "label_scores": scores}
    elif scores:
        total = sum(scores.values())  # each is rounded
        given["scores"] = {label: value / total for label, value in scores.items()}
        given["label"] = answer["label"]
    given |= {"values": answer.get("values"), "reason": answer.get("reason") or None}
    return Prediction(**given, words=tuple(answer.get("described") or ()) or None)


def _of_jsonl(path: Path) -> Iterator[Line]:
    for number, row in read_jsonl(path):
        if not {"clip", "file"} <= set(row):
            raise EmollamaError(f"{path}:{number}: is no row of `emollama predict`")
        yield f"{path}:{number}", row


def _of_csv(path: Path) -> Iterator[Line]:
    table = rows_of(path)
    _, names = next(table, (1, []))
    for number, cells in table:
        where = f"{path}:{number}"
        if len(cells) != len(names):
            raise EmollamaError(f"{where}: has {len(cells)} cells, the header {len(names)}")
        row: dict[str, Any] = dict(zip(names, cells, strict=True))
        columns = {name: m[1] for name in names if (m := re.fullmatch(r"p\((.+)\)", name))}
        scores = {
            label: finite(row[name], f"{where}: column '{name}'")
            for name, label in columns.items()
            if row[name]
        }
        several = bool(scores) and not row["label"]
        row |= {
            "scores": scores,
            "labels": [x for x in row["labels"].split("; ") if x] if several else None,
            "described": [x for x in row.get("described", "").split("; ") if x],
            "values": dict(_values(row["values"].split("; "), where)) or None,
        }
        yield where, row


def _values(cells: Iterable[str], where: str) -> Iterator[tuple[str, float]]:
    for name, _, value in (cell.partition(": ") for cell in cells if cell):
        yield name, finite(value, f"{where}: column 'values'")
