"""The recordings of all visitors: analysed as the server's jobs are, and removed after an hour."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from emollama.base.errors import EmollamaError
from emollama.base.repeating import repeating
from emollama.recording.analysis import Options, tracks_of
from emollama.recording.parts import clock
from emollama.serving.jobs import Asked, Job, Jobs
from emollama.serving.refusal import Refusal
from emollama.serving.settings import Settings
from emollama.serving.uploads import chunks_of
from emollama.session import Session

MOST_MINUTES = 60
"""Of a recording on the page; the command takes any length."""


class Shelf:
    """The recordings of a page.

    Args:
        session: the model of the page, which the analyses open again in a process of their own.
        settings: limits.
        folder: private folder of the recordings and what was found in them.
    """

    def __init__(self, session: Session, settings: Settings, folder: Path) -> None:
        self.settings = settings
        options = Options(
            session.folder, session.observer.whisper, formats=(), keep_analysis=True
        )  # fmt: skip
        self.jobs = Jobs(folder, options)

    @contextmanager
    def open(self) -> Iterator[None]:
        """Analyse, and remove what is old, during the `with` block."""
        self.jobs.start()
        try:
            with repeating(self.settings.keep_seconds / 10, self.expire, "shelf"):
                yield
        finally:
            self.jobs.close()

    def begin(self, upload: Path, asked: Asked) -> Job:
        """Queue an uploaded recording, which is moved.

        Raises:
            EmollamaError: it cannot be read, or is too long; nothing of it is decoded before.
            Refusal: it is too large, or too many recordings are kept.
        """
        try:
            lengths = tracks_of(upload)
        except EmollamaError as error:
            raise EmollamaError(str(error).replace(str(upload), upload.name)) from None
        if lengths.end > 60 * MOST_MINUTES:
            raise EmollamaError(
                f"{upload.name}: lasts {clock(lengths.end)}; the page takes recordings of at most "
                f"{MOST_MINUTES} minutes, the command `emollama analyse` of any length"
            )
        with upload.open("rb") as file:
            job = self.jobs.add(chunks_of(file), upload.name, asked, self.settings.max_bytes)
        upload.unlink(missing_ok=True)
        return job

    def named(self, job: Job, folder: Path) -> Path:
        """The recording under its owner's name in a folder, made if missing."""
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / (job.name.strip(".") or "recording")
        if not path.exists():
            os.link(self.jobs.recording(job), path)
        return path

    def expire(self) -> None:
        """Remove recordings whose analysis ended an hour ago."""
        oldest = time.time() - self.settings.keep_seconds
        for job in self.jobs.all():
            with suppress(OSError, Refusal):  # its owner has removed it meanwhile
                if job.state not in ("queued", "running") and self.jobs.changed(job) < oldest:
                    self.jobs.remove(job.id)
