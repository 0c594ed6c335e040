"""The work folder: what an analysis has measured so far, so that a killed one goes on.

`DIR/.work` (for its owner alone) holds a file a block, one a segment's evidence, and journals of
words and answers. Faces' and voices' vectors, by which somebody could be recognised, are never
among them. It is removed when the files in DIR are whole; what `DIR/record.json` then says is what
was analysed, with which model and options.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.base.files import DRAFT, atomic_path, read_json, sole_writer, write_json
from emollama.base.journal import Journal

WORK, RECORD, RUN = ".work", "record.json", "run.json"
PRIVATE = 0o600

Arrays = dict[str, np.ndarray]


class Work:
    """Finished parts of an analysis, in a folder of their own; see `opened`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._journals: dict[str, Journal[str]] = {}

    def arrays(self, name: str) -> Arrays | None:
        """The arrays that were kept under a name; None if there are none."""
        path = self.folder / f"{name}.npz"
        if not path.is_file():
            return None
        return read_arrays(path, f"remove {self.folder} to start again")

    def keep_arrays(self, name: str, arrays: Arrays) -> None:
        """Keep plain arrays under a name, whole or not at all.

        Raises:
            EmollamaError: they cannot be written, e.g. because the disk is full.
        """
        write_arrays(self.folder / f"{name}.npz", arrays)

    def row(self, journal: str, key: str) -> dict[str, Any] | None:
        """The row of a key in a journal; None if there is none."""
        rows = self._journal(journal)
        return json.loads(rows.line(key))["row"] if key in rows else None

    def keep_row(self, journal: str, key: str, row: Mapping[str, Any]) -> None:
        """Append a row.

        Raises:
            EmollamaError: it cannot be written, e.g. because the disk is full.
        """
        self._journal(journal).add(key, {"key": key, "row": dict(row)})

    def _journal(self, name: str) -> Journal[str]:
        if name not in self._journals:
            path = self.folder / f"{name}.jsonl"
            self._journals[name] = Journal(path, lambda line: str(json.loads(line)["key"]))
        return self._journals[name]

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        for journal in self._journals.values():
            journal.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def read_arrays(path: Path, remedy: str) -> Arrays:
    """The arrays of an .npz.

    Raises:
        EmollamaError: it cannot be read; ends in the remedy.
    """
    try:
        with np.load(path, allow_pickle=False) as kept:
            return dict(kept)
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        raise EmollamaError(f"{path}: cannot be read ({error}); {remedy}") from error


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Write an .npz for its owner alone, atomically.

    Raises:
        EmollamaError: it cannot be written, e.g. because the disk is full.
    """
    with atomic_path(path, PRIVATE) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


@contextmanager
def opened(out: Path, run: Mapping[str, Any]) -> Iterator[Work | None]:
    """The work folder of an analysis; None where it is finished.

    Args:
        out: folder of the analysis, created if missing.
        run: what is analysed how, as plain data; each key is a word for messages.

    Raises:
        EmollamaError: `out` holds another analysis, cannot be written, or is being written to.
    """
    plain = json.loads(json.dumps(run))
    folder = out / WORK
    if finished(out):
        _same(out, read_json(out / RECORD).get("run"), plain)
        shutil.rmtree(folder, ignore_errors=True)  # of a run that ended while removing it
        yield None
        return
    try:
        if out.is_file():
            raise EmollamaError(f"{out}: is a file; --out is a folder")
        out.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise EmollamaError(f"{out}: cannot be written: {error.strerror or error}") from error
    with sole_writer(folder, f"{out}: another analysis is writing to this folder"):
        if (folder / RUN).is_file():
            _same(out, read_json(folder / RUN), plain)
        else:
            write_json(folder / RUN, plain)
        for draft in out.glob(f".*{DRAFT}"):  # of a run that was killed while it wrote a file
            draft.unlink(missing_ok=True)
        yield Work(folder)


def finished(out: Path) -> bool:
    """Whether a folder holds an analysis that came to its end.

    Raises:
        EmollamaError: it cannot be looked into.
    """
    try:
        return (out / RECORD).is_file()
    except OSError as error:  # its name is too long, or it is another's
        raise EmollamaError(f"{out}: cannot be written: {error.strerror or error}") from error


def _same(out: Path, before: Any, now: Mapping[str, Any]) -> None:
    """Refuse to go on with another recording, model or options."""
    if not isinstance(before, dict):
        raise EmollamaError(f"{out}: is not the folder of an analysis; give another --out")
    other = [
        f"{key} ({_both(before.get(key), now.get(key))})"
        for key in dict.fromkeys([*before, *now])
        if before.get(key) != now.get(key)
    ]
    if other:
        raise EmollamaError(
            f"{out}: holds an analysis that differs in {', '.join(other)}; give another --out, "
            "or remove it"
        )


def _both(before: Any, now: Any) -> str:
    old, new = _told(before), _told(now)
    return f"{old}, which was changed since" if old == new else f"{old}, now {new}"


def _told(value: Any) -> str:
    if isinstance(value, list):
        return _told(value[0]) if value else "none"
    return "none" if value is None else str(value)
