"""Uploaded clips in a private temporary folder that does not outlive the server.

A file's name on disk is made here; the name that a client gave is text to be shown. The folder is
held by a lock that dies with the process, so that the next server removes what a killed one left.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from uuid import uuid4

from emollama.serving.refusal import Refusal
from emollama.serving.settings import Settings

PREFIX = "emollama-serve-"
_LOCK = "lock"
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Upload:
    """A clip on disk.

    Attributes:
        id: that clients know it by.
        name: that the client gave, to be shown.
        path: of the file, which does not depend on the name.
        size: bytes.
        created: seconds since the epoch; `expires` likewise.
    """

    id: str
    name: str
    path: Path
    size: int
    created: float
    expires: float


class Uploads:
    """The clips that clients have sent, while they are kept; safe to use from several threads."""

    def __init__(self, settings: Settings, parent: Path | None = None) -> None:
        self.settings = settings
        self._parent = parent or Path(tempfile.gettempdir())
        remove_stale(self._parent)
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=self._parent))
        self._held = (self.folder / _LOCK).open("w")
        fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._kept: dict[str, Upload] = {}
        self._lock = threading.Lock()

    def add(self, chunks: Iterable[bytes], name: str) -> Upload:
        """Write a clip; equal content is kept once.

        Raises:
            Refusal: it is empty or too large.
        """
        size, digest = 0, hashlib.sha256()
        draft = self.folder / f"{uuid4().hex}.part"
        try:
            with draft.open("xb") as out:
                for chunk in chunks:
                    size += len(chunk)
                    if size > self.settings.max_bytes:
                        limit = self.settings.max_bytes / (1 << 20)
                        raise Refusal(413, f"a clip may have {limit:g} MiB at most")
                    digest.update(chunk)
                    out.write(chunk)
            if not size:
                raise Refusal(400, "the file is empty", "file")
            file_id = f"file-{digest.hexdigest()[:32]}"
            path = self.folder / f"{file_id}.clip"
            now = time.time()
            found = Upload(file_id, shown(name), path, size, now, now + self.settings.keep_seconds)
            with self._lock:
                draft.replace(path)
                self._kept.pop(file_id, None)
                self._kept[file_id] = found
                self._expire(now)
                while len(self._kept) > self.settings.max_uploads:
                    self._remove(next(iter(self._kept)))
            return found
        finally:
            draft.unlink(missing_ok=True)

    def get(self, file_id: str) -> Upload:
        """An upload that is still kept; any other id is a `Refusal`."""
        with self._lock:
            self._expire(time.time())
            if file_id not in self._kept:
                raise Refusal(404, f"there is no file '{shown(file_id)}'; it may have expired")
            return self._kept[file_id]

    def all(self) -> list[Upload]:
        """What is kept, oldest first."""
        with self._lock:
            self._expire(time.time())
            return list(self._kept.values())

    def remove(self, file_id: str) -> None:
        """Remove an upload; an id that is not kept is a `Refusal`."""
        self.get(file_id)
        with self._lock:
            self._remove(file_id)

    def close(self) -> None:
        """Remove everything."""
        with self._lock:
            self._kept.clear()
            shutil.rmtree(self.folder, ignore_errors=True)
            self._held.close()

    def expire(self) -> None:
        """Remove what has been kept long enough."""
        with self._lock:
            self._expire(time.time())

    def _expire(self, now: float) -> None:
        for upload in [u for u in self._kept.values() if u.expires <= now]:
            self._remove(upload.id)

    def _remove(self, file_id: str) -> None:
        found = self._kept.pop(file_id, None)
        if found is not None:
            found.path.unlink(missing_ok=True)


def shown(name: str) -> str:
    """A client's own name for something, as one printable line without folders."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(c for c in last if c.isprintable())[:_LONGEST_NAME] or "clip"


def remove_stale(parent: Path) -> list[Path]:
    """Remove folders that killed servers of this user have left; returns them."""
    removed = []
    for folder in parent.glob(f"{PREFIX}*"):
        if folder.is_symlink() or not folder.is_dir() or folder.stat().st_uid != os.getuid():
            continue
        try:
            with (folder / _LOCK).open("r+") as held:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            continue  # of a server that is running
        except FileNotFoundError:
            # A folder without a lock is one whose server died, or is about to take it.
            if time.time() - folder.stat().st_mtime < 60:
                continue
            shutil.rmtree(folder, ignore_errors=True)
        removed.append(folder)
    return removed


def chunks_of(file: IO[bytes], size: int = 1 << 20) -> Iterable[bytes]:
    """A file in pieces."""
    while chunk := file.read(size):
        yield chunk
