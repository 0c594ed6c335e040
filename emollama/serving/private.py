"""A private temporary folder that does not outlive the process that made it.

A lock that dies with the process guards it, so that the next process removes the folder of a killed
one. Windows does not delete open files: there, the folder of a killed process stays.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import ExitStack
from multiprocessing.util import Finalize
from pathlib import Path

from emollama.base.errors import EmollamaError
from emollama.base.files import locked

PREFIX = "emollama-srv-"  # short: sockets below it have long names already
_NEW = "emollama-new-"
_LOCK = "lock"
_LAST = -1000  # multiprocessing's own finalizers have -100 at the least
_YOUNG = 60.0  # seconds in which a folder may still be about to be locked


class PrivateFolder:
    """A folder that only this user can read, removed on close.

    Attributes:
        path: of the folder.

    Args:
        parent: its parent folder; the system's temporary folder when None. Folders of killed
            processes in it are removed first.
    """

    def __init__(self, parent: Path | None = None) -> None:
        parent = parent or Path(tempfile.gettempdir())
        self._held = ExitStack()
        if not hasattr(os, "getuid"):  # on Windows
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
            return
        remove_stale(parent)
        made = Path(tempfile.mkdtemp(prefix=_NEW, dir=parent))
        self._held.enter_context(locked(made / _LOCK, f"{made}: another process holds it"))
        # It takes its name once it is locked: others remove folders of that name without a lock.
        self.path = made.rename(parent / made.name.replace(_NEW, PREFIX, 1))

    def close(self) -> None:
        """Remove it with its content."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._held.close()


def private_temporaries() -> Path:
    """Keep all temporary files of this process and its children in one folder from now on.

    It is removed when the process ends, after multiprocessing's own cleanup.
    """
    private = PrivateFolder()
    os.environ["TMPDIR"] = tempfile.tempdir = str(private.path)
    Finalize(None, private.close, exitpriority=_LAST)
    return private.path


def remove_stale(parent: Path) -> list[Path]:
    """Remove folders left by this user's killed processes; returns them."""
    removed: list[Path] = []
    if not hasattr(os, "getuid"):  # on Windows
        return removed
    for folder in (*parent.glob(f"{PREFIX}*"), *parent.glob(f"{_NEW}*")):
        try:
            about = folder.lstat()
            if not folder.is_dir() or folder.is_symlink() or about.st_uid != os.getuid():
                continue
            if folder.name.startswith(_NEW) and time.time() - about.st_mtime < _YOUNG:
                continue
            if folder.name.startswith(PREFIX) and not (folder / _LOCK).is_file():
                continue
            with locked(folder / _LOCK, "its process is still running"):
                shutil.rmtree(folder, ignore_errors=True)
        except (EmollamaError, FileNotFoundError):
            continue  # its process is still running, or removed by another one meanwhile
        removed.append(folder)
    return removed
