"""Shares concurrent work: done once for all who ask, and cancelled when nobody waits for it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


@dataclass
class _Work(Generic[T]):
    task: asyncio.Task[T]
    waiting: int = 0


class Once(Generic[K, T]):
    """Caches results of work by key, the latest `most` of them. For one event loop.

    Args:
        most: number of results to keep.
        dropped: called with a result when it is removed.
    """

    def __init__(self, most: int, dropped: Callable[[T], None] = lambda found: None) -> None:
        self.most, self._dropped = most, dropped
        self._kept: OrderedDict[K, _Work[T]] = OrderedDict()

    def __contains__(self, key: K) -> bool:
        return key in self._kept

    def __iter__(self) -> Iterator[K]:
        """Keys of all results, kept or in progress."""
        return iter(list(self._kept))

    async def get(self, key: K, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result for a key; `make` starts the work unless it is in progress.

        The work continues when one caller leaves, and is cancelled when the last does. A failure
        goes to all current callers, and the next caller starts again.
        """
        work = self._kept.get(key)
        if work is None:
            work = self._kept[key] = _Work(asyncio.ensure_future(make()))
        self._kept.move_to_end(key)
        work.waiting += 1
        try:
            found = await asyncio.shield(work.task)
        except BaseException:
            work.waiting -= 1
            if work.task.done() or not work.waiting:
                work.task.cancel()
                self._take(key, work)
            raise
        work.waiting -= 1
        self._trim()
        return found

    def drop(self, which: Callable[[K], bool]) -> None:
        """Remove the results of matching keys; current callers still get theirs."""
        for key in [k for k in self._kept if which(k)]:
            self._let_go(key)

    def _trim(self) -> None:
        idle = [k for k, work in self._kept.items() if not work.waiting]
        for key in idle[: max(0, len(self._kept) - self.most)]:
            self._let_go(key)

    def _take(self, key: K, work: _Work[T]) -> None:
        if self._kept.get(key) is work:
            del self._kept[key]

    def _let_go(self, key: K) -> None:
        work = self._kept.pop(key)
        work.task.add_done_callback(self._tell)

    def _tell(self, task: asyncio.Task[T]) -> None:
        if not task.cancelled() and task.exception() is None:
            self._dropped(task.result())
