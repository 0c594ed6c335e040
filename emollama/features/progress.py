"""What a person sees of an extraction: speed and time left, and a table of what failed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:  # who only wants the bar should not wait for the encoders
    from emollama.features.extract import ExtractReport

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


def failure_table(report: ExtractReport, shown: int = 8) -> Table:
    """Failures by reason and encoder, with ids and one message each."""
    rows: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for sample_id, by_encoder in report.failures.items():
        # A clip that cannot be decoded fails for every encoder: that is told once.
        same = len({f.detail for f in by_encoder.values()}) == 1 and len(by_encoder) > 1
        some = list(by_encoder.items())[:1] if same else list(by_encoder.items())
        for key, failure in some:
            row = rows.setdefault((failure.reason, "all" if same else key), [])
            row.append((sample_id, failure.detail))
    table = Table(title="clips without features", title_justify="left")
    for column in ("reason", "encoder", "clips", "ids", "for example"):
        table.add_column(column, justify="right" if column == "clips" else "left", overflow="fold")
    for (reason, key), items in sorted(rows.items(), key=lambda row: (-len(row[1]), row[0])):
        ids = ", ".join(i for i, _ in items[:shown])
        more = f" and {len(items) - shown} more" if len(items) > shown else ""
        # Text, not str: rich would read square brackets in an id as markup.
        cells = (reason, key, str(len(items)), ids + more, items[0][1])
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _span(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
