"""A pool of worker processes that survives the death of a worker.

`concurrent.futures` breaks as a whole when a worker dies and cannot tell which task killed it;
`multiprocessing.Pool` waits for that task forever. Here each worker has a pipe of its own: a broken
pipe identifies the worker and its items, and every other item is still done.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any, Generic, TypeVar

from emollama.base.errors import EmollamaError
from emollama.workers.process import Opened, RefusedError, Worker

J = TypeVar("J")
R = TypeVar("R")

DIED = "worker died"
_PATIENCE = 2.0  # seconds that an idle worker has to end by itself


@dataclass(frozen=True)
class Died:
    """The result of an item whose worker died or hung.

    Attributes:
        reason: "worker died" or "timed out".
        detail: how it happened.
    """

    reason: str
    detail: str


class _Busy:
    """A worker and the batches it has not answered yet, oldest first."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.batches: deque[list[Any]] = deque()
        self.ready = False
        self.since = time.monotonic()


class ProcessPool(Generic[J, R]):
    """Processes batches of items in `size` processes; used as a context manager.

    An item with which two processes died in turn is what they died of.

    Args:
        size: number of processes.
        opened: called in each process; returns its greeting and a function from a batch to one
            result per item.
        preload: modules that all processes import.
        check: called with each process's greeting; raises an error if it is wrong.
        depth: batches queued per worker; with 2 it never waits for the next.
        seconds: an item that takes longer fails and its worker is replaced.
    """

    def __init__(
        self,
        size: int,
        opened: Opened,
        preload: Sequence[str] = (),
        check: Callable[[Any], None] = lambda greeting: None,
        depth: int = 2,
        seconds: float = math.inf,
    ) -> None:
        self._size, self._opened, self._preload = size, opened, preload
        self._check, self._depth, self._seconds = check, depth, seconds
        self._workers: list[_Busy] = []
        self._suspects: dict[int, Any] = {}

    def __enter__(self) -> ProcessPool[J, R]:
        return self

    def __exit__(self, *_: object) -> None:
        for busy in self._workers:
            busy.worker.end(0.0 if busy.batches else _PATIENCE)
        self._workers.clear()

    def run(self, batches: Iterator[list[J]]) -> Iterator[tuple[list[J], list[R | Died]]]:
        """Yield (items, their results) as they finish, in any order.

        `batches` is drawn from only when a worker is free, so they are never all in memory. Where a
        worker dies or hangs, only the item it was working on has `Died` as its result.

        Raises:
            RefusedError: a worker cannot go on.
            EmollamaError: workers die while starting.
        """
        again: deque[list[J]] = deque()
        exhausted = False
        while True:
            while not exhausted or again:
                free = self._free()
                if free is None:
                    break
                batch = again.popleft() if again else next(batches, None)
                if batch is None:
                    exhausted = True
                    break
                if not free.batches:
                    free.since = time.monotonic()
                free.batches.append(batch)
                free.worker.send(batch)
            waiting = {b.worker.connection: b for b in self._workers if b.batches}
            if not waiting:
                return
            for ready in wait(list(waiting), timeout=1.0):
                yield from self._receive(waiting[ready], again)
            for busy in [b for b in self._workers if b.batches and b.ready]:
                if time.monotonic() - busy.since > self._seconds * len(busy.batches[0]):
                    why = Died("timed out", f"not done after {self._seconds:g} s")
                    yield from self._bury(busy, again, why)

    def _free(self) -> _Busy | None:
        """The worker with the shortest queue that has room, a new one while there may be more."""
        idle = min(self._workers, key=lambda b: len(b.batches), default=None)
        if len(self._workers) < self._size and (idle is None or idle.batches):
            self._workers.append(_Busy(Worker(self._opened, self._preload)))
            return self._workers[-1]
        return idle if idle is not None and len(idle.batches) < self._depth else None

    def _receive(
        self, busy: _Busy, again: deque[list[J]]
    ) -> Iterator[tuple[list[J], list[R | Died]]]:
        try:
            message = busy.worker.receive()
        except EOFError:
            fate = busy.worker.fate()
            if not busy.ready:
                raise EmollamaError(
                    f"worker processes die while starting ({fate}); try fewer of them "
                    "if memory is short"
                ) from None
            yield from self._bury(busy, again, Died(DIED, fate))
            return
        except RefusedError as error:
            error.batch = busy.batches[0] if busy.ready else ()
            raise
        busy.since = time.monotonic()
        if busy.ready:
            yield busy.batches.popleft(), message
        else:
            self._check(message)
            busy.ready = True

    def _bury(
        self, busy: _Busy, again: deque[list[J]], why: Died
    ) -> Iterator[tuple[list[J], list[R | Died]]]:
        """Remove a worker; its first batch holds the culprit, the others are queued again."""
        self._workers.remove(busy)
        busy.worker.end()
        first, *others = busy.batches
        again.extend(others)
        known = all(id(item) in self._suspects for item in first)
        if len(first) == 1 and (known or why.reason != DIED):
            yield first, [why]
        else:
            # One at a time finds out which of them it was. Once more where it was one: the process
            # may have been killed from outside.
            self._suspects |= {id(item): item for item in first}
            again.extend([item] for item in first)
