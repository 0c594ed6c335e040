"""A pool of worker processes that survives its workers.

`concurrent.futures` breaks as a whole when a worker dies, cannot tell which task killed it, and
leaves its workers waiting for ever when the parent is killed. Here each worker has a pipe of its
own: a broken pipe names the worker and so the clips it had, and a closed one ends the worker.
"""

from __future__ import annotations

import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from emollama.base.errors import EmollamaError
from emollama.workers.worker import Failure, Job, Tool, serve

T = TypeVar("T")  # what the work gives for a clip and a tool
E = TypeVar("E", bound=Tool)

_DEPTH = 2  # batches a worker holds: the one it works on and the next, so that it never waits
_PRELOAD = ["emollama.workers.worker", "torch", "emollama.encoders.table"]


class _Worker:
    """One process, its pipe, and the batches it has not answered yet, oldest first."""

    def __init__(self, process: BaseProcess, connection: Connection) -> None:
        self.process = process
        self.connection = connection
        self.batches: deque[list[Job]] = deque()
        self.ready = False
        self.since = time.monotonic()


class WorkerPool(Generic[T]):
    """Runs batches of jobs in `size` processes.

    Args:
        size: number of processes.
        fingerprints: key of each tool (an encoder, a check) to its fingerprint; a worker whose
            tool differs is refused.
        build: makes a tool from its key inside the worker; a function of a module.
        work: what is done there with a batch and the tools by key; a function of a module.
        threads: torch threads in each worker.
        clip_seconds: a clip that takes longer is given up and its worker replaced.
    """

    def __init__(
        self,
        size: int,
        fingerprints: Mapping[str, str],
        build: Callable[[str], E],
        work: Callable[[Sequence[Job], dict[str, E]], list[dict[str, T | Failure]]],
        threads: int = 1,
        clip_seconds: float = 300.0,
    ) -> None:
        methods = multiprocessing.get_all_start_methods()
        self._context: Any = multiprocessing.get_context(
            "forkserver" if "forkserver" in methods else "spawn"
        )
        if self._context.get_start_method() == "forkserver":
            # The imports are made once and shared by all workers.
            self._context.set_forkserver_preload(_PRELOAD)
        self._fingerprints = dict(fingerprints)
        self._build = build
        self._work = work
        self._threads = threads
        self._clip_seconds = clip_seconds
        self._size = size
        self._workers: list[_Worker] = []

    def __enter__(self) -> WorkerPool[T]:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.connection.close()
        for worker in self._workers:
            worker.process.join(timeout=2)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
        self._workers.clear()

    def run(
        self, batches: Iterator[list[Job]]
    ) -> Iterator[tuple[Sequence[Job], Sequence[dict[str, T | Failure]]]]:
        """Yield (jobs, their outcomes) as they are done, in any order.

        `batches` is drawn from only when a worker is free, so a corpus of any size is never in
        memory. A worker that dies or hangs fails the clip it was at, and no other.

        Raises:
            EmollamaError: where a tool cannot be built, or workers die at their start.
        """
        again: deque[list[Job]] = deque()
        exhausted = False
        while True:
            while not exhausted or again:
                worker = self._free()
                if worker is None:
                    break
                batch = again.popleft() if again else next(batches, None)
                if batch is None:
                    exhausted = True
                    break
                self._give(worker, batch)
            busy = [w for w in self._workers if w.batches]
            if not busy:
                return
            for ready in wait([w.connection for w in busy], timeout=1.0):
                worker = next(w for w in busy if w.connection is ready)
                yield from self._receive(worker, again)
            for worker in [w for w in self._workers if w.batches]:
                allowed = self._clip_seconds * len(worker.batches[0])
                if worker.ready and time.monotonic() - worker.since > allowed:
                    worker.process.kill()
                    why = Failure("timed out", f"not done after {self._clip_seconds:g} s")
                    yield from self._bury(worker, again, why)

    def _free(self) -> _Worker | None:
        """The worker with the shortest queue that has room, a new one while there may be more."""
        idle = min(self._workers, key=lambda w: len(w.batches), default=None)
        if len(self._workers) < self._size and (idle is None or idle.batches):
            return self._start()
        return idle if idle is not None and len(idle.batches) < _DEPTH else None

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=serve,
            args=(theirs, tuple(self._fingerprints), self._build, self._work, self._threads),
            daemon=True,
        )
        process.start()
        theirs.close()
        worker = _Worker(process, ours)
        self._workers.append(worker)
        return worker

    def _give(self, worker: _Worker, batch: list[Job]) -> None:
        if not worker.batches:
            worker.since = time.monotonic()
        worker.batches.append(batch)
        # A worker that has died is found out, and its batches given to another, when its answer
        # is waited for.
        with suppress(BrokenPipeError, ConnectionResetError):
            worker.connection.send(batch)

    def _receive(
        self, worker: _Worker, again: deque[list[Job]]
    ) -> Iterator[tuple[Sequence[Job], Sequence[dict[str, T | Failure]]]]:
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):
            worker.process.join(timeout=5)
            why = f"a worker process died ({_exit(worker.process.exitcode)})"
            yield from self._bury(worker, again, Failure("worker died", why))
            return
        if isinstance(message, str):
            raise EmollamaError(message)
        worker.since = time.monotonic()
        if not worker.ready:
            for key, fingerprint in message.items():
                if fingerprint != self._fingerprints[key]:
                    raise EmollamaError(f"'{key}' differs between this process and its workers")
            worker.ready = True
            return
        yield worker.batches.popleft(), message

    def _bury(
        self, worker: _Worker, again: deque[list[Job]], why: Failure
    ) -> Iterator[tuple[Sequence[Job], Sequence[dict[str, T | Failure]]]]:
        """Take a dead worker out; its first batch holds the culprit, the others go on."""
        self._workers.remove(worker)
        worker.connection.close()
        if not worker.ready:
            worker.process.join(timeout=5)
            raise EmollamaError(
                f"worker processes die while they start ({_exit(worker.process.exitcode)}); "
                "is there enough memory? try --workers 1"
            )
        first, *others = worker.batches
        again.extend(others)
        if len(first) == 1:
            yield first, [dict.fromkeys(first[0].keys, why)]
        else:
            # One at a time finds out which of them it was.
            again.extend([job] for job in first)


def _exit(code: int | None) -> str:
    if code is None:
        return "no exit code"
    return f"signal {-code}" if code < 0 else f"exit code {code}"
