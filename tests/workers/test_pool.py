"""A pool outlives its workers: one item dies, hangs or is refused, and every other one is done."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from emollama.base.errors import EmollamaError
from emollama.workers.pool import Died, ProcessPool
from emollama.workers.process import RefusedError


def work(items: list[str]) -> list[str]:
    for item in items:
        if item == "dies":
            os.kill(os.getpid(), signal.SIGSEGV)
        if item.startswith("dies once") and not (mark := Path(item.split(":")[1])).exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if item == "hangs":
            threading.Event().wait(3600)
        if item == "leaves":
            sys.exit(3)
        if item == "is refused":
            raise EmollamaError("the disk is full")
    return [item.upper() for item in items]


def opened(greeting: str = "hello") -> tuple[str, Callable[[list[str]], list[str]]]:
    if greeting == "dies":
        os._exit(7)
    if greeting == "is refused":
        raise EmollamaError("no such tool")
    return greeting, work


def pool(greeting: str = "hello", **options: Any) -> ProcessPool[str, str]:
    return ProcessPool(2, partial(opened, greeting), (__name__,), **options)


def test_only_the_culprits_are_lost() -> None:
    items = [f"item-{i}" for i in range(20)]
    items[4], items[9], items[13] = "dies", "hangs", "leaves"
    greetings: list[str] = []
    found: dict[str, str | Died] = {}
    with pool(check=greetings.append, seconds=1.0) as made:
        for batch, results in made.run(items[i : i + 3] for i in range(0, 20, 3)):
            found |= dict(zip(batch, results, strict=True))
    assert found.pop("dies") == Died("worker died", "signal 11")
    assert found.pop("hangs") == Died("timed out", "not done after 1 s")
    assert found.pop("leaves") == Died("worker died", "exit code 3")
    assert found == {item: item.upper() for item in items if item.startswith("item")}
    assert len(greetings) >= 5 and set(greetings) == {"hello"}, "each lost worker is replaced"


def test_a_process_that_is_killed_from_outside_loses_nothing(tmp_path: Path) -> None:
    item = f"dies once:{tmp_path / 'mark'}"
    with pool() as made:
        assert list(made.run(iter([[item]]))) == [([item], [item.upper()])]


def test_what_a_worker_refuses_ends_the_pool_and_names_the_batch() -> None:
    before = set(multiprocessing.active_children())
    with pytest.raises(RefusedError, match="the disk is full") as error:
        run(pool(), ["a"], ["b", "is refused"], ["hangs"])
    assert list(error.value.batch) == ["b", "is refused"]
    assert set(multiprocessing.active_children()) <= before


def run(made: ProcessPool[str, str], *batches: list[str]) -> None:
    with made:
        list(made.run(iter(batches)))


def test_workers_that_cannot_start_are_one_line() -> None:
    with pytest.raises(EmollamaError, match=r"die while starting \(exit code 7\)"):
        run(pool("dies"), ["a"])
    with pytest.raises(RefusedError, match="no such tool") as error:
        run(pool("is refused"), ["a"])
    assert not error.value.batch

    def check(greeting: str) -> None:
        raise EmollamaError(f"{greeting}: is another version")

    with pytest.raises(EmollamaError, match="hello: is another version"):
        run(pool(check=check), ["a"])


def test_batches_are_drawn_when_a_worker_is_free() -> None:
    drawn = 0

    def batches() -> Any:
        nonlocal drawn
        for i in range(50):
            drawn += 1
            yield [str(i)]

    with pool() as made:
        done = made.run(batches())
        next(done)
        assert drawn < 8
        assert sum(1 for _ in done) == 49
