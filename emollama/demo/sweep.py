"""Removes old files of the page from disk, whoever wrote them.

Gradio leaves some of its own files: parts of broken uploads, copies of saved sheets.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def sweep(folder: Path, seconds: float) -> None:
    """Remove files below `folder` older than this, and folders that were empty as long."""
    oldest = time.time() - seconds
    # Folders come after what is in them.
    for path in sorted(folder.rglob("*"), reverse=True):
        with suppress(OSError):  # somebody else has removed it, or a folder is in use
            # Of a copy only the change of its entry tells when it was made.
            if path.lstat().st_ctime > oldest:
                continue
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                path.unlink()


@contextmanager
def swept(folder: Path, seconds: float) -> Iterator[None]:
    """Sweep repeatedly during the `with` block, so that no file gets more than a tenth older."""
    with every(seconds / 10, lambda: sweep(folder, seconds)):
        yield


@contextmanager
def every(seconds: float, act: Callable[[], None]) -> Iterator[None]:
    """Do something again and again during the `with` block, in a thread."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(seconds):
            act()

    thread = threading.Thread(target=run, name="sweep", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
