"""Uploaded clips on disk, in a private folder that does not outlive the server.

File names on disk are generated here; the client's name is for display only. Each upload is a
separate file, even if the content is the same, so that clients cannot delete each other's uploads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from uuid import uuid4

from emollama.serving.private import PrivateFolder
from emollama.serving.refusal import Refusal
from emollama.serving.settings import Settings

_LONGEST_NAME = 200


@dataclass(frozen=True)
class Upload:
    """A clip on disk.

    Attributes:
        id: the id for clients, once it is stored.
        name: the client's name, for display.
        path: of the file, independent of the name.
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
    """Stored uploads of clients; safe to use from several threads."""

    def __init__(self, settings: Settings, parent: Path | None = None) -> None:
        self.settings = settings
        self._private = PrivateFolder(parent)
        self.folder = self._private.path
        self._kept: dict[str, Upload] = {}
        self._lock = threading.Lock()

    def write(self, chunks: Iterable[bytes], name: str, most: int | None = None) -> Upload:
        """Write a clip that is not yet visible to clients: `keep` or `discard` it.

        Args:
            chunks: of the file.
            name: the client's name.
            most: limit in bytes; that of an upload when None.

        Raises:
            Refusal: it is empty or too large.
        """
        size = 0
        most = self.settings.max_bytes if most is None else most
        file_id = f"file-{uuid4().hex}"
        path = self.folder / f"{file_id}.clip"
        try:
            with path.open("xb") as out:
                for chunk in chunks:
                    size += len(chunk)
                    if size > most:
                        raise Refusal(413, f"a clip may have at most {most / (1 << 20):g} MiB")
                    out.write(chunk)
            if not size:
                raise Refusal(400, "the file is empty", "file")
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        now = time.time()
        return Upload(file_id, shown(name), path, size, now, now + self.settings.keep_seconds)

    def keep(self, upload: Upload) -> None:
        """Make a clip available to clients; if there are too many, the oldest are removed."""
        with self._lock:
            self._kept[upload.id] = upload
            self._expire(time.time())
            while len(self._kept) > 1 and (
                len(self._kept) > self.settings.max_uploads
                or sum(u.size for u in self._kept.values()) > self.settings.max_kept
            ):
                self._remove(next(iter(self._kept)))

    def discard(self, upload: Upload) -> None:
        """Remove a clip's file, whether it was stored or not."""
        with self._lock:
            self._kept.pop(upload.id, None)
            upload.path.unlink(missing_ok=True)

    def get(self, file_id: str) -> Upload:
        """A stored upload; for any other id raise a `Refusal`."""
        with self._lock:
            self._expire(time.time())
            if file_id not in self._kept:
                raise Refusal(404, f"no such file id: '{shown(file_id)}'; it may have expired")
            return self._kept[file_id]

    def all(self) -> list[Upload]:
        """Stored uploads, oldest first."""
        with self._lock:
            self._expire(time.time())
            return list(self._kept.values())

    def remove(self, file_id: str) -> None:
        """Remove an upload; for an unknown id raise a `Refusal`."""
        self.discard(self.get(file_id))

    def close(self) -> None:
        """Remove everything."""
        with self._lock:
            self._kept.clear()
            self._private.close()

    def _expire(self, now: float) -> None:
        for upload in [u for u in self._kept.values() if u.expires <= now]:
            self._remove(upload.id)

    def _remove(self, file_id: str) -> None:
        self._kept.pop(file_id).path.unlink(missing_ok=True)


def shown(name: str) -> str:
    """A client's name for a file, as one printable line without folders."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(c for c in last if c.isprintable())[:_LONGEST_NAME] or "clip"


def chunks_of(file: IO[bytes], size: int = 1 << 20) -> Iterable[bytes]:
    """A file in chunks."""
    while chunk := file.read(size):
        yield chunk
