"""`emollama doctor`: is this corpus fit to train and test on?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from emollama.base.errors import EmollamaError


def doctor(
    manifest: Path,
    store: Annotated[Path | None, typer.Option(help="Feature store to check as well.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the report; MANIFEST-doctor by default.")
    ] = None,
    faces: Annotated[bool, typer.Option(help="Look for faces; by far the slowest check.")] = True,
    min_seconds: Annotated[float, typer.Option(help="Shorter clips are too short.")] = 0.5,
    max_seconds: Annotated[float, typer.Option(help="Longer clips are too long.")] = 60.0,
    tolerance: Annotated[float, typer.Option(help="Seconds that lengths may differ by.")] = 0.5,
    silence: Annotated[float, typer.Option(help="dBFS; quieter clips are silent.")] = -60.0,
    min_label: Annotated[int, typer.Option(help="Samples a label needs in a split.")] = 10,
    text_words: Annotated[int, typer.Option(help="Words that a duplicate text has at least.")] = 4,
    workers: Annotated[int, typer.Option(help="Processes; 0 for one a core.")] = 0,
    retry_failed: Annotated[bool, typer.Option(help="Look at failed clips again.")] = False,
) -> None:
    """Open every clip of a manifest and say what would spoil a result; exit code 1 if anything."""
    from emollama.base.progress import bar
    from emollama.corpora.doctor import Limits, examine
    from emollama.corpora.doctor.report import print_report

    if workers < 0:
        raise EmollamaError("--workers must be 0 or more")
    limits = Limits(min_seconds, max_seconds, tolerance, silence, min_label, text_words)
    folder = out or manifest.parent / f"{manifest.stem}-doctor"
    found = examine(
        manifest,
        folder,
        store=store,
        faces=faces,
        limits=limits,
        workers=workers or None,
        retry_failed=retry_failed,
        bar=bar,
    )
    print_report(found.report, Console(highlight=False))
    if found.looked:
        speed = f"{found.seconds:.1f} s ({found.rate:.1f} clips/s)"
        print(f"{found.looked} clips looked at in {speed}, {found.kept} kept from before")
    elif found.kept:
        print(f"all {found.kept} clips were looked at before; they have not changed")
    else:
        print("no sample names media: texts, labels and splits were checked")
    print(f"report in {folder}")
    if found.report.errors:
        raise typer.Exit(1)
