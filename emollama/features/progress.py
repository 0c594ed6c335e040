"""What a person sees of an extraction: a bar with rate and time left, and a table of failures."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from emollama.features.extract import ExtractReport

PLAIN_SECONDS = 15.0


@contextmanager
def bar(unit: str) -> Iterator[Callable[[int, int], None]]:
    """A function of (done, total): a bar on a terminal, a line now and then in a log."""
    started = time.monotonic()
    if not sys.stderr.isatty():
        last = started

        def line(done: int, total: int) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= PLAIN_SECONDS or done == total:
                last = now
                rate = done / max(now - started, 1e-9)
                print(
                    f"{done}/{total} {unit}, {rate:.1f}/s, {(total - done) / rate:.0f} s left",
                    file=sys.stderr,
                    flush=True,
                )

        yield line
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(unit, total=None, rate="")

        def advance(done: int, total: int) -> None:
            rate = done / max(time.monotonic() - started, 1e-9)
            progress.update(task, completed=done, total=total, rate=f"{rate:.1f} {unit}/s")

        yield advance


def failure_table(report: ExtractReport, shown: int = 5) -> Table:
    """Failures by reason, with the first ids of each."""
    table = Table("reason", "clips", "ids", title="clips without features")
    for reason, ids in sorted(report.by_reason().items(), key=lambda kv: -len(kv[1])):
        more = f" and {len(ids) - shown} more" if len(ids) > shown else ""
        table.add_row(reason, str(len(ids)), ", ".join(ids[:shown]) + more)
    return table
