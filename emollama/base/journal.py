"""The journal: JSON Lines that grow row by row and survive a kill.

A row is appended by one flushed write, so a process that is killed leaves whole lines and at most
one torn one. A torn line counts as not there: readers pass over it, and its writer cuts it off
when it begins again. Each process appends to a file of its own and may read those of others; where
a folder may have one writer at a time, that one holds `files.sole_writer`.
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

    Only keys and places are in memory: a row is read from its file when it is asked for.

    Args:
        path: file that this process appends to; made with the first row.
        key_of: the key of a line; None passes a line over that is of no use here, and a
            `ValueError`, `LookupError` or `TypeError` says that there should be no such line.
        files: paths of all files that are read, later rows last; by default `path` alone.
        sync: whether a row is on the disk when `add` returns, or only with the system, which keeps
            it through the end of this process but not through a power cut.

    Raises:
        EmollamaError: a file cannot be read, or holds a line that `key_of` refuses.
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
        """Look again at what is on disk: other processes may have added rows."""
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
                            f"{path}:{number}: is not a row that was kept; remove the file to "
                            "begin again"
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
        """Write `rows`, which may be read from here, to `into`, whole or not at all.

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
    """Append one line to a file, made where there is none; returns the place it begins at.

    Raises:
        EmollamaError: it cannot be written; nothing of the line is left then.
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
    """Remove what a killed process left of a line at the end of a file, if there is any."""
    if not path.is_file():
        return
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        with path.open("rb+") as file:
            file.truncate(whole)
