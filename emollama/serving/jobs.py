"""Recordings as jobs: an analysis takes minutes to hours, so it is asked for and looked after.

Each job is a folder below the operator's, with the recording, what was asked, how it stands, and
the analysis' own files. One runs at a time, in a process of its own that ends with the server; as
an analysis goes on where it ended, so does a job after a restart.
"""

from __future__ import annotations

import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, redirect_stderr
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from uuid import uuid4

from emollama.base.errors import EmollamaError
from emollama.base.files import locked, read_json, write_json
from emollama.recording.work import RECORD, WORK
from emollama.serving.refusal import Refusal
from emollama.serving.uploads import shown
from emollama.workers.process import RefusedError, Worker

if TYPE_CHECKING:
    from emollama.recording.analysis import Analyst, Options

State = Literal["queued", "running", "done", "failed", "cancelled"]
MOST_JOBS = 100
"""Jobs that are kept, finished ones too."""
_JOB, _RECORDING, _OUT, _LOG = "job.json", "recording", "out", "log.txt"
_PRELOAD = ["emollama.recording.analysis", "torch"]
_PROGRESS = re.compile(r"^([\d.]+)/([\d.]+) (minutes[\w ]*), (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Asked:
    """How a recording is analysed, where a client may choose.

    Attributes:
        transcribe: whether to write down what is said.
        explain: whether to write a reason for each segment.
        people: number of people who speak; None to find it out.
        coverage: also the labels that hold the true one in this share of segments.
    """

    transcribe: bool = True
    explain: bool = False
    people: int | None = None
    coverage: float | None = None


@dataclass(frozen=True)
class Job:
    """A recording that is analysed, or was.

    Attributes:
        id: of the job; its folder is called so.
        name: the client's name of the file.
        created: in seconds since 1970.
        asked: how it is analysed.
        state: how it stands.
        error: why it failed; None otherwise.
    """

    id: str
    name: str
    created: float
    asked: Asked
    state: State = "queued"
    error: str | None = None


class Progress(NamedTuple):
    """What a running job does: the stage, minutes of the recording done and in all, and the speed
    in words, as "4.2 times real time, 3 min left".
    """

    stage: str
    done: float
    total: float
    speed: str


class Jobs:
    """All jobs of a folder; its methods may be called from any thread.

    Args:
        folder: of the jobs, made if missing; one server at a time uses it.
        options: of analyses, where clients do not choose.

    Raises:
        EmollamaError: the folder cannot be used, or another server uses it.
    """

    def __init__(self, folder: Path, options: Options) -> None:
        self.folder, self._options = folder, options
        self._held = ExitStack()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise EmollamaError(f"--jobs {folder}: cannot be made ({error.strerror})") from error
        self._held.enter_context(
            locked(folder / "lock", f"--jobs {folder}: another server uses this folder")
        )
        self._jobs = {job.id: job for job in sorted(_kept(folder), key=lambda j: j.created)}
        self._changed = threading.Condition()
        self._running: tuple[str, Worker] | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)

    def start(self) -> None:
        """Go on with what is queued."""
        self._thread.start()

    def close(self) -> None:
        """Stop; what runs goes on at the next start."""
        with self._changed:
            self._closed = True
            self._stop()
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()
        self._held.close()

    def add(self, chunks: Iterable[bytes], name: str, asked: Asked, most: int) -> Job:
        """Store a recording of at most `most` bytes and queue it.

        Raises:
            Refusal: it is empty or too large, or there are too many jobs.
        """
        if len(self._jobs) >= MOST_JOBS:
            raise Refusal(429, f"{MOST_JOBS} jobs are kept; delete some first")
        job = Job(f"job-{uuid4().hex}", shown(name), time.time(), asked)
        place = self.folder / job.id
        place.mkdir(mode=0o700)
        try:
            size = 0
            with (place / _RECORDING).open("xb") as out:
                for chunk in chunks:
                    size += len(chunk)
                    if size > most:
                        message = f"a recording may have at most {most / (1 << 20):g} MiB"
                        raise Refusal(413, message)
                    out.write(chunk)
            if not size:
                raise Refusal(400, "the file is empty", "file")
            with self._changed:
                self._keep(job)
                self._changed.notify_all()
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
        return job

    def all(self) -> list[Job]:
        """All jobs, oldest first."""
        return list(self._jobs.values())

    def get(self, job_id: str) -> Job:
        """A job; for any other id raise a `Refusal`."""
        found = self._jobs.get(job_id)
        if found is None:
            raise Refusal(404, f"no such job id: '{shown(job_id)}'")
        return found

    def cancel(self, job_id: str) -> Job:
        """Stop a job and keep what it found so far; a finished one stays as it is."""
        with self._changed:
            job = self.get(job_id)
            if job.state in ("queued", "running"):
                job = self._keep(replace(job, state="cancelled"))
                if self._running is not None and self._running[0] == job_id:
                    self._stop()
        return job

    def remove(self, job_id: str) -> None:
        """Stop a job and remove everything of it."""
        self.cancel(job_id)
        with self._changed:
            # Its process is dead before its folder goes, or it would write into it again.
            self._changed.wait_for(lambda: self._running is None or self._running[0] != job_id)
            self._jobs.pop(job_id, None)
            shutil.rmtree(self.folder / job_id, ignore_errors=True)

    def progress(self, job: Job) -> Progress | None:
        """What a running job does; None before it begins."""
        log = self.folder / job.id / _LOG
        if job.state != "running" or not log.is_file():
            return None
        stages = _PROGRESS.findall(log.read_text("utf-8", "replace"))
        if not stages:
            return None
        done, total, stage, speed = stages[-1]
        return Progress(stage, float(done), float(total), speed)

    def recording(self, job: Job) -> Path:
        """The recording of a job."""
        return self.folder / job.id / _RECORDING

    def changed(self, job: Job) -> float:
        """When a job last changed its state, in seconds since 1970."""
        return (self.folder / job.id / _JOB).stat().st_mtime

    def files(self, job: Job) -> dict[str, Path]:
        """The files of a finished job, by their paths below its folder."""
        out = self.folder / job.id / _OUT
        if job.state != "done":
            return {}
        found = {p.relative_to(out).as_posix(): p for p in sorted(out.rglob("*")) if p.is_file()}
        return {name: path for name, path in found.items() if not name.startswith(WORK)}

    def found(self, job: Job) -> dict[str, Any] | None:
        """The summary of a finished job."""
        record = self.files(job).get(RECORD)
        return None if record is None else dict(read_json(record)["found"])

    def _keep(self, job: Job) -> Job:
        write_json(self.folder / job.id / _JOB, {**vars(job), "asked": vars(job.asked)})
        self._jobs[job.id] = job
        return job

    def _stop(self) -> None:
        if self._running is not None:
            self._running[1].process.kill()

    # --- in the thread -------------------------------------------------------------------------

    def _work(self) -> None:
        worker: Worker | None = None
        while True:
            with self._changed:
                job = self._next()
                if job is None and worker is not None:
                    worker.end(1.0)  # models take memory that waiting needs none of
                    worker = None
                while job is None and not self._closed:
                    self._changed.wait()
                    job = self._next()
                if job is None or self._closed:
                    break
                fresh = worker is None
                worker = worker or Worker(partial(_opened, self._options), _PRELOAD, shielded=True)
                self._keep(replace(job, state="running"))
                self._running = job.id, worker
            state, error = _outcome(worker, fresh, self.folder / job.id, job.asked)
            if state == "died":
                worker.end()
                worker, state = None, "failed"
            with self._changed:
                self._running = None
                now = self._jobs.get(job.id)
                if now is not None and now.state == "running" and not self._closed:
                    self._keep(replace(now, state=state, error=error))  # type: ignore[arg-type]
                self._changed.notify_all()
        if worker is not None:
            worker.end()

    def _next(self) -> Job | None:
        return next((job for job in self._jobs.values() if job.state == "queued"), None)


def _kept(folder: Path) -> Iterable[Job]:
    """The jobs of a folder; what ran when its server ended is queued again."""
    for path in sorted(folder.glob(f"job-*/{_JOB}")):
        row = read_json(path)
        job = Job(**{**row, "asked": Asked(**row["asked"])})
        yield replace(job, state="queued") if job.state == "running" else job


def _outcome(worker: Worker, fresh: bool, place: Path, asked: Asked) -> tuple[str, str | None]:
    try:
        if fresh:
            worker.receive()
        worker.send((place, asked))
        state, error = worker.receive()
    except RefusedError as refused:
        return "died", str(refused)
    except EOFError:
        return "died", "the process that analysed it died"
    return state, error


# --- in the process ------------------------------------------------------------------------------


def _opened(options: Options) -> tuple[None, Callable[[Any], Any]]:
    from emollama.base.quiet import quiet_libraries
    from emollama.recording.analysis import Analyst

    quiet_libraries()
    analyst = Analyst(options)
    return None, lambda item: _analysed(analyst, *item)


def _analysed(analyst: Analyst, place: Path, asked: Asked) -> tuple[State, str | None]:
    analyst.options = replace(
        analyst.options, transcribe=asked.transcribe, reasons=asked.explain, people=asked.people,
        coverage=asked.coverage,
    )  # fmt: skip
    with (place / _LOG).open("w", encoding="utf-8", buffering=1) as log, redirect_stderr(log):
        try:
            analyst.analyse(place / _RECORDING, place / _OUT, _RECORDING)
        except EmollamaError as error:
            # The path is the server's own; a client knows the recording by its name.
            return "failed", str(error).replace(f"{place}/", "")
        except Exception as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            return "failed", "an internal error; the job's log.txt on the server has more"
    return "done", None
