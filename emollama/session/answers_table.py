"""The table that `emollama predict --out` writes: a row a clip, appended as answers come in.

It holds what was answered and not how long that took, so the same clips give the same bytes.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emollama.base.csv_rows import records
from emollama.base.errors import EmollamaError
from emollama.base.files import atomic_path, encode_row, read_text
from emollama.session.asked import AskedClip
from emollama.workers.shares import Share, lacking

if TYPE_CHECKING:
    from emollama.session.answer import Answer

SUFFIXES = (".csv", ".jsonl")

_FIRST = ("clip", "file", "start", "end", "text", "label", "probability")
_LAST = (
    "labels", "values", "label_set", "channels", "clues", "absent", "language", "reason",
    "reason_from", "notes", "error", "key",
)  # fmt: skip


def need_table(path: Path, asked: Iterable[Path] = ()) -> None:
    """Raise an error unless `path` may be such a table.

    Args:
        path: the table.
        asked: files, folders and manifests that are asked about.

    Raises:
        EmollamaError: another suffix, a folder, or what is asked about.
    """
    if any(os.path.realpath(path) == os.path.realpath(one) for one in asked):
        raise EmollamaError(f"--out {path}: is what is asked about; give the table another name")
    if path.suffix.lower() not in SUFFIXES or path.is_dir():
        raise EmollamaError(f"--out {path}: must be a file that ends in {' or '.join(SUFFIXES)}")


class AnswersTable:
    """A table of answers that grows row by row and survives a kill.

    Rows of clips that were answered before, by the same model with the same options, are kept. A
    clip that could not be answered, or whose file, span or words have changed, is asked again.

    Args:
        path: .csv, or .jsonl with the answers as `emollama predict --json` gives them.
        labels: of the model, one column each: its probability.
        run: identifies model and options.
        failed: whether to keep the rows of clips that could not be answered, too.

    Raises:
        EmollamaError: the file is another table, of another model or of other options.
    """

    def __init__(
        self, path: Path, labels: Sequence[str], run: Mapping[str, Any], failed: bool = False
    ) -> None:
        need_table(path)
        self.path = path
        self._csv = path.suffix.lower() == ".csv"
        listed = ["described"] if run.get("describe") else []
        self._columns = [*_FIRST, *(f"p({label})" for label in labels), *listed, *_LAST]
        told = json.dumps(run, sort_keys=True, default=str)
        self._run = hashlib.sha256(told.encode()).hexdigest()[:16]
        self._rows: dict[str, dict[str, Any]] = {}
        for row in self._read():
            run_key, _, clip_key = str(row["key"]).partition("-")
            if run_key != self._run:
                raise EmollamaError(
                    f"{path}: holds answers of another model or with other options; remove it or "
                    "give another --out"
                )
            if failed or not row.get("error"):
                self._rows[clip_key] = row

    def __contains__(self, clip: AskedClip) -> bool:
        return clip.key in self._rows

    def start(self) -> None:
        """Write the rows that are kept; the others are appended by `add`."""
        self._write(self._rows.values())

    def add(self, clip: AskedClip, answer: Answer | None, error: str = "") -> None:
        """Append a clip's answer, or why there is none.

        Raises:
            EmollamaError: it cannot be written, e.g. because the disk is full.
        """
        key = clip.key
        about: dict[str, Any] = {
            "clip": clip.name,
            "file": str(clip.video) if clip.video else None,
            "start": clip.start,
            "end": clip.end,
        }
        row = {
            **about,
            **({"text": clip.text} if answer is None else _told(answer)),
            "error": error or None,
            "key": f"{self._run}-{key}",
        }
        self._rows[key] = self._flat(row) if self._csv else row
        try:
            with self.path.open("ab") as file:
                file.write(self._line(self._rows[key]))
        except OSError as problem:
            raise EmollamaError(
                f"{self.path}: cannot be written: {problem.strerror or problem}"
            ) from problem

    def take(self, other: AnswersTable) -> None:
        """Add another table's rows; an answer takes the place of a failure."""
        for key, row in other._rows.items():
            if key not in self._rows or self._rows[key].get("error"):
                self._rows[key] = row

    def failures(self, clips: Sequence[AskedClip]) -> int:
        """The number of these clips that could not be answered."""
        return sum(bool(self._rows[clip.key].get("error")) for clip in clips)

    def finish(self, clips: Sequence[AskedClip]) -> None:
        """Write the rows of these clips in their order; those of other clips are dropped."""
        keys = dict.fromkeys(clip.key for clip in clips)
        self._write([self._rows[key] for key in keys if key in self._rows])

    def _write(self, rows: Iterable[Mapping[str, Any]]) -> None:
        with atomic_path(self.path) as temporary, temporary.open("wb") as file:
            if self._csv:
                # With a mark spreadsheets read it as UTF-8.
                file.write("\ufeff".encode() + self._line({name: name for name in self._columns}))
            file.writelines(self._line(row) for row in rows)

    def _line(self, row: Mapping[str, Any]) -> bytes:
        if not self._csv:
            return encode_row(row)
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow([row.get(c, "") for c in self._columns])
        return text.getvalue().encode("utf-8", "replace")

    def _flat(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The row as cells: a column a probability, lists and maps in words."""
        scores = row.get("calibrated") or row.get("scores") or {}
        cells = {name: _cell(row.get(name)) for name in (*_FIRST, "described", *_LAST)}
        cells |= {f"p({label})": value for label, value in scores.items()}
        if row.get("label") is not None:
            cells["probability"] = scores.get(row["label"], "")
        return cells

    def _read(self) -> list[dict[str, Any]]:
        """Rows of an earlier run; a torn last one is left out."""
        if not self.path.exists():
            return []
        try:
            text = read_text(self.path)
        except EmollamaError as error:
            raise EmollamaError(f"{error}; remove it or give another --out") from error
        whole = text[: text.rfind("\n") + 1]
        other = EmollamaError(
            f"{self.path}: exists and is not a table of these answers; remove it or give another "
            "--out"
        )
        if not self._csv:
            try:
                rows = [json.loads(line) for line in whole.split("\n") if line]
            except ValueError as error:
                raise other from error
            if not all(isinstance(row, dict) and "key" in row for row in rows):
                raise other
            return rows
        try:
            table = [cells for _, cells in records(whole, ",", self.path)]
        except EmollamaError as error:
            raise other from error
        if not table:
            return []
        if "key" not in table[0]:
            raise other
        if any(len(cells) != len(table[0]) for cells in table):
            raise other
        rows = [dict(zip(table[0], cells, strict=True)) for cells in table[1:]]
        if table[0] != self._columns and rows:
            rows[0]["key"] = ""  # of a model with other labels
        return rows


def shard_table(path: Path, share: Share) -> Path:
    """The table of a share of the clips, in a folder beside the table of all."""
    return _shards(path) / f"{share.name}{path.suffix}"


def merged(path: Path, run: Mapping[str, Any], clips: Sequence[AskedClip]) -> AnswersTable:
    """Write the table of these clips from those of their shares, which are removed.

    Raises:
        EmollamaError: a clip is in none of them, or one is of another model or other options.
    """
    folder = _shards(path)
    parts = sorted(p for p in folder.glob(f"*{path.suffix}") if p.is_file())
    # Of a table that was merged before all is kept: its shards are gone.
    made = [one for one in (*parts, path) if one.is_file()]
    labels = _labels(made[0]) if made and path.suffix.lower() == ".csv" else ()
    table = AnswersTable(path, labels, run, failed=True)
    for part in parts:
        table.take(AnswersTable(part, labels, run, failed=True))
    if missing := {k: c.name for k, c in enumerate(clips) if c not in table}:
        raise EmollamaError(lacking(path, "clips", missing, [p.name for p in parts]))
    table.finish(clips)
    shutil.rmtree(folder, ignore_errors=True)
    return table


def _shards(path: Path) -> Path:
    return path.with_name(f"{path.name}.shards")


def _labels(path: Path) -> list[str]:
    """The labels that a table has columns for."""
    head = next((cells for _, cells in records(read_text(path), ",", path)), [])
    return [name[2:-1] for name in head if name.startswith("p(")]


def _told(answer: Answer) -> dict[str, Any]:
    return {name: value for name, value in answer.to_dict().items() if name != "seconds"}


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return " ".join(value.split())  # one line a row, so that a torn one is seen
    if value is None:
        return ""
    if isinstance(value, dict):
        return _cell("; ".join(f"{name}: {one}" for name, one in value.items()))
    if isinstance(value, (list, tuple)):
        return _cell("; ".join(map(str, value)))
    return value


def model_signature(folder: Path) -> list[object]:
    """Changes where a model is trained anew: names and sizes of its files, and what JSON says."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    return [
        [
            path.relative_to(folder).as_posix(),
            path.stat().st_size,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.suffix == ".json" else "",
        ]
        for path in files
    ]
