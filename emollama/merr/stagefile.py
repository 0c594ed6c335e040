"""The rows of one stage: computed once per key, safe against a kill, written in the clips' order.

While a stage runs, each row is appended to a journal. When every row is there the journals become
`NAME.jsonl`, in the order of the clips and with their ids, so that a killed and resumed run ends in
the same bytes as an uninterrupted one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.base.files import parse_row
from emollama.base.journal import Journal, Row

CLIPS = "clips"
"""The stage whose file has every clip, in the order of all other stages."""
_KEY = 20  # hex digits
_HEAD = len('{"key":"')
JOURNALS = "journals"


def row_key(stage: str, version: int, options: Any, *inputs: str) -> str:
    """The inputs of a row: the stage's code and options, and the rows it reads."""
    facts = json.dumps([stage, version, options, inputs], sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()[:_KEY]


class StageFile:
    """`folder/NAME.jsonl` and its journals.

    Args:
        folder: of all stages of a build.
        name: of the stage.
        writer: distinguishes processes that fill the same stage, e.g. "0-of-4".
    """

    def __init__(self, folder: Path, name: str, writer: str = "0-of-1") -> None:
        self.path = folder / f"{name}.jsonl"
        journals = folder / JOURNALS
        self._journal = Journal(
            journals / f"{name}.{writer}.jsonl",
            _key_of,
            lambda: [self.path, *sorted(journals.glob(f"{name}.*-of-*.jsonl"))],
        )

    def reload(self) -> None:
        """Read the files again: other processes may have added rows."""
        self._journal.reload()

    def __contains__(self, key: str) -> bool:
        return key in self._journal

    def get(self, key: str) -> Row:
        """The row of a key, without key and id.

        Raises:
            EmollamaError: the file holds an invalid row.
        """
        row = parse_row(self.path, 0, self._journal.line(key).decode("utf-8", "replace"))
        return {name: value for name, value in row.items() if name not in ("key", "id")}

    def add(self, key: str, row: Row) -> None:
        """Store a row; from now on it survives the end of this process."""
        self._journal.add(key, {"key": key, **row})

    def seal(self, order: Iterable[tuple[str, str]]) -> None:
        """Write `NAME.jsonl` from (id, key) in order, and remove the journals.

        Raises:
            EmollamaError: a row is missing, or the file cannot be written.
        """
        self._journal.compact(self.path, (self._sealed(clip, key) for clip, key in order))

    def _sealed(self, clip: str, key: str) -> Row:
        if key not in self:
            raise EmollamaError(
                f"{self.path}: '{clip}' is missing in this stage; first run the stage, "
                "or the shard with this clip"
            )
        return {"key": key, "id": clip, **self.get(key)}

    def close(self) -> None:
        """Close open files."""
        self._journal.close()

    def rows(self) -> Iterator[Row]:
        """The rows of the written file, one at a time."""
        return read_rows(self.path)


def _key_of(line: bytes) -> str | None:
    if not line.startswith(b'{"key":"'):
        return None
    return line[_HEAD : _HEAD + _KEY].decode("ascii", "replace")


def read_rows(path: Path) -> Iterator[Row]:
    """Rows of a stage's file, one at a time; none where there is no file.

    Raises:
        EmollamaError: the file cannot be read or a line is not a row.
    """
    if not path.is_file():
        return
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                yield parse_row(path, number, line)
    except (OSError, UnicodeDecodeError) as error:
        raise EmollamaError(f"{path}: cannot be read: {error}") from error
