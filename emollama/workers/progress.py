"""Progress of long work on stderr: speed and time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

PLAIN_SECONDS = 10.0
"""Between two lines where there is no terminal."""


@contextmanager
def bar(unit: str) -> Iterator[Callable[[int, int], None]]:
    """A function of (done, total) for `extract`: a bar on a terminal, lines in a log; on stderr.

    The clock starts at the first call, which `extract` makes with nothing done yet.
    """
    started: float | None = None
    told = 0.0

    def speed(done: int, total: int) -> str:
        nonlocal started
        if started is None:
            started = time.monotonic()
        rate = done / max(time.monotonic() - started, 1e-6)
        return f"{rate:.1f} {unit}/s, {_span((total - done) / rate)} left" if done else "starting"

    if not sys.stderr.isatty():

        def line(done: int, total: int) -> None:
            nonlocal told
            text = speed(done, total)
            now = time.monotonic()
            if total and (now - told >= PLAIN_SECONDS or done == total):
                told = now
                print(f"{done}/{total} {unit}, {text}", file=sys.stderr, flush=True)

        yield line
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[speed]}"))
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(unit, total=None, speed="")

        def advance(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total, speed=speed(done, total))

        yield advance


def _span(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
