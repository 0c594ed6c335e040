"""Atomic writes of files and folders, JSON Lines, and locks."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from emollama.base.errors import EmollamaError

DRAFT = ".tmp"
"""Suffix of unfinished files and folders; their names begin with a dot."""


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def atomic_path(path: Path, mode: int = 0o666) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` on success, remove it on failure.

    `mode`: permissions of the file, less the process's mask. A reader sees the old file or the new
    one, never half of either. A full disk or a folder that cannot be written is an `EmollamaError`
    naming `path`.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=DRAFT, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(mode & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise EmollamaError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextmanager
def written_whole(folder: Path) -> Iterator[Path]:
    """A temporary folder to write into, which replaces `folder` on success.

    A symbolic link at `folder` is replaced, not followed.
    """
    folder = folder.absolute()
    draft: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=DRAFT, dir=folder.parent))
        yield draft
        _replace(draft, folder)
    except OSError as error:
        raise EmollamaError(f"{folder}: cannot be written: {error.strerror or error}") from error
    finally:
        if draft is not None:
            shutil.rmtree(draft, ignore_errors=True)


def _replace(draft: Path, folder: Path) -> None:
    """Replace `folder` by `draft`; the old folder is removed only once the new one is in place."""
    mask = _umask()
    draft.chmod(0o777 & ~mask)
    for path in draft.rglob("*"):
        # safetensors writes 0600; what is made here is often shared between accounts.
        if path.is_file() and not path.is_symlink():
            path.chmod(0o666 & ~mask)
    old = folder.with_name(f".{folder.name}.old")
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        # An `old` beside a folder that stands is rubbish; where none stands it is the last copy.
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    draft.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def locked(path: Path, busy: str, seconds: float = 0.0) -> Iterator[None]:
    """Hold a lock file; the lock is released when its process ends, however it ends.

    Args:
        path: the lock file, created if missing.
        busy: error message when another process holds the lock.
        seconds: how long to wait for it.

    Raises:
        EmollamaError: another process holds it.
        OSError: the file cannot be created.
    """
    lock = FileLock(path, timeout=seconds, thread_local=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise EmollamaError(busy) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def sole_writer(folder: Path, busy: str) -> Iterator[None]:
    """Lock `folder`, created if missing, against other writers.

    Raises:
        EmollamaError: another process holds it (the message is `busy`), or it cannot be written.
    """
    with ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(locked(folder / ".lock", busy))
        except OSError as error:
            raise EmollamaError(
                f"{folder}: cannot be written: {error.strerror or error}"
            ) from error
        yield


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON, atomically; NaN is refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write one JSON object a line, atomically; NaN is refused."""
    with atomic_path(path) as temporary, temporary.open("wb") as out:
        out.writelines(encode_row(row) for row in rows)


def encode_row(row: Mapping[str, Any]) -> bytes:
    """One line of JSON Lines; NaN is refused, a lone surrogate becomes a question mark."""
    text = json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace") + b"\n"


def read_text(path: Path) -> str:
    """Read UTF-8 text; a missing, unreadable or binary file is an `EmollamaError`."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise EmollamaError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise EmollamaError(f"{path}:{line}: is not UTF-8 text (byte {error.start})") from error


def read_json(path: Path) -> Any:
    """Read one JSON value; anything else is an `EmollamaError` naming file and line.

    So is a duplicate key in an object, of which JSON parsers silently keep the last.
    """
    try:
        return json.loads(read_text(path), object_pairs_hook=_distinct)
    except json.JSONDecodeError as error:
        raise EmollamaError(f"{path}:{error.lineno}: is not JSON: {error.msg}") from error
    except (RecursionError, ValueError) as error:
        raise EmollamaError(f"{path}: cannot be parsed as JSON: {error}") from error


def read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, object) of a JSON Lines file; blank lines are skipped."""
    for number, line in read_lines(path):
        yield number, parse_row(path, number, line)


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line number, text) of a file's lines; blank lines are skipped."""
    # Not splitlines(): U+2028 and its like may stand inside a JSON string.
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            yield number, line


def parse_row(path: Path, number: int, line: str) -> dict[str, Any]:
    """The object on one line of a JSON Lines file; anything else is an `EmollamaError`."""
    try:
        row = json.loads(line, object_pairs_hook=_distinct)
    except json.JSONDecodeError as error:
        raise EmollamaError(f"{path}:{number}: is not JSON: {error.msg}") from error
    except (RecursionError, ValueError) as error:
        raise EmollamaError(f"{path}:{number}: cannot be parsed as JSON: {error}") from error
    if not isinstance(row, dict):
        raise EmollamaError(f"{path}:{number}: is not a JSON object")
    return row


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key '{twice[:80]}' occurs twice")
    return found
