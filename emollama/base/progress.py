"""The progress bar on stderr: count, speed and time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

PLAIN_SECONDS = 10.0
"""Between two lines when stderr is not a terminal."""

Advance = Callable[[int, int], None]
"""Called with (done, total)."""
Bar = Callable[[str], AbstractContextManager[Advance]]
"""From the unit counted ("clips", or "clips, test") to an `Advance` for the `with` block."""


def pace(done: int, total: int, seconds: float, unit: str) -> str:
    """Speed and time left, e.g. "3.1 clips/s, 4 min left"; per minute for slow work."""
    if not done:
        return "starting"
    rate = done / max(seconds, 1e-6)
    speed = f"{rate:.1f} {unit}/s" if rate >= 0.1 else f"{60 * rate:.1f} {unit}/min"
    return f"{speed}, {_span((total - done) / rate)} left"


@contextmanager
def silent(what: str) -> Iterator[Advance]:
    """A `Bar` that shows nothing."""
    del what
    yield lambda done, total: None


@contextmanager
def bar(what: str) -> Iterator[Advance]:
    """A `Bar`: drawn on a terminal, lines in a log.

    The clock starts at the first call, which should report 0 done.
    """
    unit = what.split(",")[0]
    started: float | None = None
    shown = 0.0

    def speed(done: int, total: int) -> str:
        nonlocal started
        if started is None:
            started = time.monotonic()
        return pace(done, total, time.monotonic() - started, unit)

    if not sys.stderr.isatty():

        def line(done: int, total: int) -> None:
            nonlocal shown
            text = speed(done, total)
            now = time.monotonic()
            if total and (now - shown >= PLAIN_SECONDS or done == total):
                shown = now
                print(f"{done}/{total} {what}, {text}", file=sys.stderr, flush=True)

        yield line
        return
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=None, speed="")

        def advance(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total, speed=speed(done, total))

        yield advance


def _span(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
