"""The progress bar on stderr: count, speed and time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.markup import escape
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


def times_real_time(done: float, total: float, seconds: float, unit: str) -> str:
    """Speed of reading a recording and time left: "4.2 times real time, 3 min left".

    `done` and `total` are minutes of it.
    """
    del unit
    if not done:
        return "starting"
    rate = 60 * done / max(seconds, 1e-6)
    return f"{rate:.1f} times real time, {_span(60 * (total - done) / rate)} left"


@contextmanager
def recorded(what: str) -> Iterator[Callable[[float, float], None]]:
    """A `bar` of a recording's minutes ("minutes read"); done and total are told in seconds.

    The speed is of what is done after the first call, which may report a resumed recording.
    """
    with bar(what, times_real_time) as advance:
        yield lambda done, total: advance(done / 60, total / 60)


@contextmanager
def bar(what: str, speed_of: Callable[..., str] = pace) -> Iterator[Callable[..., None]]:
    """A `Bar`: drawn on a terminal, lines in a log.

    The clock starts at the first call, which should report 0 done, or what was done before.
    `speed_of`: what to say of (done since the first call, total less what was done then, seconds,
    unit).
    """
    unit = what.split(",")[0]
    started: tuple[float, float] | None = None
    shown = 0.0

    def speed(done: float, total: float) -> str:
        nonlocal started
        if started is None:
            started = (time.monotonic(), done)
        clock, before = started
        return speed_of(done - before, total - before, time.monotonic() - clock, unit)

    if not sys.stderr.isatty():

        def line(done: float, total: float) -> None:
            nonlocal shown
            text = speed(done, total)
            now = time.monotonic()
            if total and (now - shown >= PLAIN_SECONDS or done == total):
                shown = now
                print(f"{_shown(done)}/{_shown(total)} {what}, {text}", file=sys.stderr, flush=True)

        yield line
        return
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(escape(what), total=None, speed="")

        def advance(done: float, total: float) -> None:
            progress.update(task, completed=done, total=total, speed=speed(done, total))

        yield advance


def _shown(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:.1f}"


def _span(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
