"""What the page has on disk is removed after a while, whoever wrote it and however it ended.

Gradio forgets some of its own files: parts of uploads that were broken off, copies of saved sheets.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def sweep(folder: Path, seconds: float) -> None:
    """Remove every file below `folder` that is older than this, and folders left empty as long."""
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
    """Keep sweeping meanwhile, so that nothing grows older than a tenth more."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(seconds / 10):
            sweep(folder, seconds)

    thread = threading.Thread(target=run, name="sweep", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
