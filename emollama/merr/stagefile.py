"""The rows of one stage: computed once a key, kept through a kill, written in the clips' order.

While a stage runs, each row is appended to a journal. When every row is there the journals become
`NAME.jsonl`, in the order of the clips and with their ids, so that a run that was killed ends in
the same bytes as one that was not. Rows are found by key: only keys and places are in memory.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.base.files import atomic_path, cut_torn_line, parse_row

Row = dict[str, Any]
CLIPS = "clips"
"""The stage whose file has every clip, in the order that all the others keep."""
_KEY = 20  # hex digits
_HEAD = len('{"key":"')
JOURNALS = "journals"


def row_key(stage: str, version: int, options: Any, *inputs: str) -> str:
    """What a row is a function of: the stage's code and options, and what it reads."""
    facts = json.dumps([stage, version, options, inputs], sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()[:_KEY]


class StageFile:
    """`folder/NAME.jsonl` and its journals.

    Args:
        folder: of all stages of a build.
        name: of the stage.
        writer: tells processes apart that fill the same stage, e.g. "0-of-4".
    """

    def __init__(self, folder: Path, name: str, writer: str = "0-of-1") -> None:
        self.path = folder / f"{name}.jsonl"
        self._journals = folder / JOURNALS
        self._mine = self._journals / f"{name}.{writer}.jsonl"
        self._name = name
        self._places: dict[str, tuple[Path, int]] = {}
        self._open: dict[Path, BufferedReader] = {}
        self._out: Any = None
        cut_torn_line(self._mine)
        self.reload()

    def reload(self) -> None:
        """Look again at what is on disk: other processes may have added rows."""
        self.close()
        self._places.clear()
        for path in (self.path, *sorted(self._journals.glob(f"{self._name}.*-of-*.jsonl"))):
            self._index(path)

    def _index(self, path: Path) -> None:
        if not path.is_file():
            return
        place = 0
        with path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n") and line.startswith(b'{"key":"'):
                    self._places[line[_HEAD : _HEAD + _KEY].decode("ascii", "replace")] = (
                        path, place,
                    )  # fmt: skip
                place += len(line)

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def get(self, key: str) -> Row:
        """The row of a key, without key and id.

        Raises:
            EmollamaError: what is on disk is no row.
        """
        path, place = self._places[key]
        if path not in self._open:
            self._open[path] = path.open("rb")
        file = self._open[path]
        file.seek(place)
        row = parse_row(path, 0, file.readline().decode("utf-8", "replace"))
        return {name: value for name, value in row.items() if name not in ("key", "id")}

    def add(self, key: str, row: Row) -> None:
        """Keep a row; it is on disk when this returns."""
        line = _line({"key": key, **row})
        try:
            if self._out is None:
                self._journals.mkdir(parents=True, exist_ok=True)
                self._out = self._mine.open("ab")
            place = self._out.tell()
            self._out.write(line)
            self._out.flush()
        except OSError as error:
            stuck, self._out = self._out, None
            with suppress(OSError):  # what could not be written cannot be flushed by closing
                if stuck is not None:
                    stuck.close()
            raise EmollamaError(
                f"{self._mine}: cannot be written: {error.strerror or error}"
            ) from error
        self._places[key] = (self._mine, place)

    def seal(self, order: Iterable[tuple[str, str]]) -> None:
        """Write `NAME.jsonl` from (id, key) in order, and drop the journals.

        Raises:
            EmollamaError: a row is missing, or the file cannot be written.
        """
        with atomic_path(self.path) as temporary, temporary.open("wb") as out:
            for clip, key in order:
                if key not in self:
                    raise EmollamaError(
                        f"{self.path}: '{clip}' has not been through this stage; run it, or the "
                        "shard that has this clip, first"
                    )
                out.write(_line({"key": key, "id": clip, **self.get(key)}))
        self.close()
        for journal in self._journals.glob(f"{self._name}.*-of-*.jsonl"):
            journal.unlink(missing_ok=True)
        self.reload()

    def close(self) -> None:
        """Close what is open."""
        for file in self._open.values():
            file.close()
        self._open.clear()
        if self._out is not None:
            self._out.close()
            self._out = None

    def rows(self) -> Iterator[Row]:
        """The rows of the written file, one at a time."""
        return read_rows(self.path)


def read_rows(path: Path) -> Iterator[Row]:
    """Rows of a stage's file, one at a time; none where there is no file.

    Raises:
        EmollamaError: the file cannot be read or a line is no row.
    """
    if not path.is_file():
        return
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                yield parse_row(path, number, line)
    except (OSError, UnicodeDecodeError) as error:
        raise EmollamaError(f"{path}: cannot be read: {error}") from error


def _line(row: Mapping[str, Any]) -> bytes:
    text = json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace") + b"\n"
