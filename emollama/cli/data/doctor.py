"""`emollama doctor`: is this corpus fit to train and test on?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emollama.base.errors import EmollamaError
from emollama.base.paths import need_file, need_folder


def doctor(
    manifest: Annotated[Path, typer.Argument(help="Manifest of the clips.")],
    store: Annotated[Path | None, typer.Option(help="Feature store to check as well.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the report.", show_default="MANIFEST-doctor")
    ] = None,
    faces: Annotated[bool, typer.Option(help="Search for faces, by far the slowest check.")] = True,
    min_seconds: Annotated[
        float, typer.Option(help="Seconds below which a clip is too short.")
    ] = 0.5,
    max_seconds: Annotated[
        float, typer.Option(help="Seconds above which a clip is too long.")
    ] = 60.0,
    tolerance: Annotated[
        float, typer.Option(help="Seconds by which the lengths of sound and picture may differ.")
    ] = 0.5,
    silence: Annotated[
        float, typer.Option(help="Level in dBFS below which a clip is silent.")
    ] = -60.0,
    min_label: Annotated[int, typer.Option(help="Samples that a label needs in a split.")] = 10,
    text_words: Annotated[
        int, typer.Option(help="Shortest text, in words, that counts as a duplicate.")
    ] = 4,
    workers: Annotated[int, typer.Option(help="Processes; 0 for one per core.")] = 0,
    retry_failed: Annotated[bool, typer.Option(help="Check failed clips again.")] = False,
) -> None:
    """Check every clip of a manifest for problems that would spoil a result.

    The exit code is 1 if there are any.
    """
    if workers < 0:
        raise EmollamaError("--workers must be 0 or more")
    need_file(manifest)
    need_folder(store)
    from rich.console import Console

    from emollama.base.progress import bar
    from emollama.corpora.doctor import Limits, examine
    from emollama.corpora.doctor.report import print_report

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
        print(f"{found.looked} clips checked in {speed}, {found.kept} kept from before")
    elif found.kept:
        print(f"all {found.kept} clips were checked before and have not changed")
    else:
        print("no sample names media: texts, labels and splits were checked")
    print(f"report in {folder}")
    if found.report.errors:
        raise typer.Exit(1)
