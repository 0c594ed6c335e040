"""The journal: a JSON Lines file that grows row by row and survives a kill.

A row is appended by one flushed write, so a process that is killed leaves whole lines and at most
one torn one. A torn line is ignored: readers skip it, and the writer truncates it when it starts
again. Each process appends to a file of its own and may read those of others; where a folder may
have only one writer at a time, that writer holds `files.sole_writer`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import Any, Generic, TypeVar

from emollama.base.errors import EmollamaError
from emollama.base.files import atomic_path, encode_row

K = TypeVar("K", bound=Hashable)
Row = dict[str, Any]


class Journal(Generic[K]):
    """Rows found by key; of rows with the same key the last one counts.

    Only keys and offsets are in memory: a row is read from its file when it is asked for.

    Args:
        path: file that this process appends to; created with the first row.
        key_of: the key of a line; None skips a line that is of no use here, and a `ValueError`,
            `LookupError` or `TypeError` marks a line as invalid.
        files: paths of all files to read, later rows last; by default `path` alone.
        sync: whether a row is on disk when `add` returns; otherwise the operating system has it,
            which survives the end of this process but not a power cut.

    Raises:
        EmollamaError: a file cannot be read, or holds a line that `key_of` rejects.
    """

    def __init__(
        self,
        path: Path,
        key_of: Callable[[bytes], K | None],
        files: Callable[[], Iterable[Path]] | None = None,
        sync: bool = False,
    ) -> None:
        self.path = path
        self._key_of = key_of
        self._files = files or (lambda: [path])
        self._sync = sync
        self._places: dict[K, tuple[Path, int]] = {}
        self._open: dict[Path, BufferedReader] = {}
        _cut_torn_line(path)
        self.reload()

    def reload(self) -> None:
        """Read the files again: other processes may have added rows."""
        self.close()
        self._places.clear()
        for path in self._files():
            if path.is_file():
                self._index(path)

    def _index(self, path: Path) -> None:
        place = 0
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.endswith(b"\n"):
                    try:
                        key = self._key_of(line)
                    except (ValueError, LookupError, TypeError) as error:
                        raise EmollamaError(
                            f"{path}:{number}: is not a valid row; remove the file to start again"
                        ) from error
                    if key is not None:
                        self._places[key] = (path, place)
                place += len(line)

    def __contains__(self, key: K) -> bool:
        return key in self._places

    def line(self, key: K) -> bytes:
        """The line of a key; `KeyError` where there is none."""
        path, place = self._places[key]
        if path not in self._open:
            self._open[path] = path.open("rb")
        self._open[path].seek(place)
        return self._open[path].readline()

    def add(self, key: K, row: Row) -> None:
        """Append a row.

        Raises:
            EmollamaError: it cannot be written, e.g. because the disk is full.
        """
        self._places[key] = (self.path, append_row(self.path, row, self._sync))

    def compact(self, into: Path, rows: Iterable[Row]) -> None:
        """Write `rows`, which may be read from this journal, to `into` atomically.

        The files that were read before it are removed.
        """
        with atomic_path(into) as temporary, temporary.open("wb") as out:
            out.writelines(encode_row(row) for row in rows)
        self.close()
        for path in self._files():
            if path != into:
                path.unlink(missing_ok=True)
        self.reload()

    def close(self) -> None:
        """Close the files that are open for reading."""
        for file in self._open.values():
            file.close()
        self._open.clear()


def append_row(path: Path, row: Row, sync: bool = False) -> int:
    """Append one line to a file, created if missing; returns the line's offset.

    Raises:
        EmollamaError: it cannot be written; no part of the line is left then.
    """
    line = encode_row(row)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab", buffering=0) as out:
            place = out.tell()
            try:
                left = memoryview(line)
                while left:  # the system may take less than all
                    left = left[out.write(left) :]
                if sync:
                    os.fsync(out.fileno())
            except OSError:
                with suppress(OSError):
                    out.truncate(place)
                raise
    except OSError as error:
        raise EmollamaError(f"{path}: cannot be written: {error.strerror or error}") from error
    return place


def _cut_torn_line(path: Path) -> None:
    """Remove a partial line that a killed process left at the end of a file."""
    if not path.is_file():
        return
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        with path.open("rb+") as file:
            file.truncate(whole)
