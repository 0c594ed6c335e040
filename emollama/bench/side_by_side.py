"""Runs of a bench side by side, each in a process with one torch thread.

`concurrent.futures` waits for what is running when one run has failed, breaks without saying which
run it was when a process dies, and leaves its processes waiting for ever when it is killed. Here
each process has a pipe of its own: a broken one names the run, and none outlives its bench.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.base.processors import limit_threads
from emollama.base.quiet import quiet_libraries
from emollama.bench.configuration import BenchConfig
from emollama.bench.plan import Run
from emollama.bench.workshop import Workshop

PATIENCE = 5.0
"""Seconds that a process has to end when it is told to; it is killed then."""


class _Failed(str):
    """What a user has to mend, from a process to its bench."""


class _Hand:
    """A process, its pipe and the run it is at."""

    def __init__(self, process: BaseProcess, pipe: Connection) -> None:
        self.process = process
        self.pipe = pipe
        self.run: Run | None = None

    def answer(self) -> dict[str, Any] | None:
        """What its run found; None where it has only opened the corpus.

        Raises:
            EmollamaError: naming the run: something the user has to mend, or the process died.
        """
        where = "a process of the bench" if self.run is None else self.run.key
        try:
            said = self.pipe.recv()
        except (EOFError, OSError) as error:
            self.process.join(PATIENCE)
            code = self.process.exitcode
            how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
            raise EmollamaError(
                f"{where}: its process died ({how}); finished runs are kept and the same command "
                "goes on; is there enough memory? try fewer --jobs"
            ) from error
        if isinstance(said, _Failed):
            raise EmollamaError(f"{where}: {said}")
        found: dict[str, Any] | None = said
        return found

    def end(self) -> None:
        """Stop it, whatever it is doing: finished runs and checkpoints are whole on the disk."""
        self.pipe.close()
        self.process.terminate()
        self.process.join(PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def side_by_side(
    bench: BenchConfig,
    runs: Sequence[Run],
    jobs: int,
    opened: Callable[[BenchConfig], Workshop] = Workshop,
) -> Generator[tuple[Run, dict[str, Any]], None, None]:
    """Do runs in several processes; yield each with what it found, as they are done.

    However this ends, its processes end: after the last run, after an error, when it is closed,
    interrupted or killed.

    Args:
        bench: its configuration; every process opens its corpus for itself.
        runs: to be done.
        jobs: processes.
        opened: makes the workshop in each process; a function or class of a module.

    Raises:
        EmollamaError: what the user has to mend, or a process died; the others are stopped.
    """
    hands: dict[Connection, _Hand] = {}
    todo = deque(runs)
    try:
        with _interrupts_ignored():
            for _ in range(min(jobs, len(runs))):
                hand = _start(bench, opened)
                hands[hand.pipe] = hand
        while hands:
            for pipe in wait(list(hands)):
                hand = hands[pipe]  # type: ignore[index]
                found = hand.answer()
                if found is not None and hand.run is not None:
                    yield hand.run, found
                if todo:
                    hand.run = todo.popleft()
                    with suppress(BrokenPipeError, ConnectionResetError):  # `answer` tells of it
                        hand.pipe.send(hand.run)
                else:
                    hands.pop(hand.pipe).end()
    finally:
        for hand in hands.values():
            hand.end()


def _start(bench: BenchConfig, opened: Callable[[BenchConfig], Workshop]) -> _Hand:
    # Not forked: torch's threads do not survive it.
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, bench, opened), daemon=True)
    process.start()
    theirs.close()
    return _Hand(process, ours)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Processes started here ignore Ctrl-C, which a terminal sends to them too: we stop them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _serve(pipe: Connection, bench: BenchConfig, opened: Callable[[BenchConfig], Workshop]) -> None:
    quiet_libraries()
    limit_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        shop = opened(bench)
        pipe.send(None)
        while True:
            pipe.send(shop.do(pipe.recv()))
    except (EOFError, BrokenPipeError):
        return  # the bench is over
    except EmollamaError as error:
        pipe.send(_Failed(error))


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
