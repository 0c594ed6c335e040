"""Several recordings: a sub-folder each, and one table, `recordings.csv`, with a row each."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emollama.base.csv_rows import records
from emollama.base.errors import EmollamaError
from emollama.base.files import locked, read_text, write_text
from emollama.base.paths import need_clip
from emollama.corpora.collection import files_below
from emollama.media.suffixes import SOUND, VIDEO

TABLE = "recordings.csv"
COLUMNS = (
    "recording", "folder", "minutes", "people", "minutes_of_speech", "segments", "answered",
    "language", "notes", "error",
)  # fmt: skip

_PATIENCE = 60.0  # seconds to wait while another process writes its row


@dataclass(frozen=True)
class Named:
    """A recording and the name of its sub-folder."""

    path: Path
    name: str


def find_recordings(paths: Sequence[Path]) -> list[Named]:
    """The recordings of files and folders, each with a name of its own.

    The name is the file's without suffix; where several would share it, with the suffix, and where
    they still do, with as many of the folders that they are in as set them apart.

    Raises:
        EmollamaError: a path does not exist, or a folder holds no recording.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            below = files_below(path, (*VIDEO, *SOUND))
            if not below:
                raise EmollamaError(f"{path}: holds no video or sound, nor does a folder below it")
            found += below
        else:
            need_clip(path)
            found.append(path)
    distinct = list({path.resolve(): path for path in found}.values())
    return [Named(p, n) for p, n in zip(distinct, _names(distinct), strict=True)]


def _names(paths: Sequence[Path]) -> list[str]:
    forms = [path.resolve().parts for path in paths]
    names = [path.stem for path in paths]
    for depth in range(1, max((len(parts) for parts in forms), default=0) + 1):
        uses = Counter(name.casefold() for name in names)
        if max(uses.values(), default=0) < 2:
            break
        for i, parts in enumerate(forms):
            if uses[names[i].casefold()] > 1:
                names[i] = "-".join(part.strip("/\\") for part in parts[-depth:])
    return names


class RecordingsTable:
    """The table of an analysis of several recordings; processes that share it take turns.

    Args:
        out: folder of the sub-folders.
        recordings: all of them, in the order of the rows.
    """

    def __init__(self, out: Path, recordings: Sequence[Named]) -> None:
        self.path = out / TABLE
        self._order = {_cell(one.name): i for i, one in enumerate(recordings)}

    def add(self, one: Named, row: Mapping[str, Any]) -> None:
        """Write the row of a recording, in place of an earlier one.

        Raises:
            EmollamaError: the table cannot be read or written.
        """
        busy = f"{self.path}: is being written by another process"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with locked(self.path.with_name(f".{TABLE}.lock"), busy, _PATIENCE):
                rows = {cells["folder"]: cells for cells in self._read()}
                told = {"recording": str(one.path), "folder": one.name, **row}
                rows[_cell(one.name)] = {name: _cell(told.get(name)) for name in COLUMNS}
                last = len(self._order)
                ranked = sorted(rows.values(), key=lambda r: self._order.get(r["folder"], last))
                self._write(ranked)
        except OSError as error:
            raise EmollamaError(
                f"{self.path}: cannot be written: {error.strerror or error}"
            ) from error

    def _read(self) -> list[dict[str, str]]:
        if not self.path.is_file():
            return []
        lines = [cells for _, cells in records(read_text(self.path), ",", self.path)]
        if not lines or tuple(lines[0]) != COLUMNS:
            raise EmollamaError(f"{self.path}: is another table; give another --out")
        return [dict(zip(COLUMNS, cells, strict=False)) for cells in lines[1:]]

    def _write(self, rows: Sequence[Mapping[str, str]]) -> None:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([row.get(name, "") for name in COLUMNS] for row in rows)
        write_text(self.path, "\ufeff" + text.getvalue())  # with a mark spreadsheets read UTF-8


def _cell(value: Any) -> str:
    """One line; a file's name need not be Unicode."""
    text = "" if value is None else " ".join(str(value).split())
    return text.encode("utf-8", "replace").decode("utf-8")
