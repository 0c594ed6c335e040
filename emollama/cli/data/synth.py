"""`emollama synth`: the probe corpus."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from emollama.base.errors import EmollamaError


def synth(
    out: Annotated[Path, typer.Option(help="Folder of the corpus.")],
    clips: Annotated[int, typer.Option(help="Number of clips.")] = 600,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 7,
    workers: Annotated[int, typer.Option(help="Processes; 0 for one per core.")] = 0,
    seconds: Annotated[
        int,
        typer.Option(
            help="Make videos of this length with valence and arousal of every frame; "
            "0 for clips of one emotion."
        ),
    ] = 0,
    sheet: Annotated[
        Path | None, typer.Option(help="PNG to write, with one row of faces per emotion.")
    ] = None,
) -> None:
    """Make the probe corpus: drawn talking faces whose channels may disagree."""
    if seconds and sheet is not None:
        raise EmollamaError("--sheet shows clips of one emotion; it does not go with --seconds")
    from emollama.probe import contact_sheet, synthesize

    started = time.monotonic()
    manifest = synthesize(out, clips, seed, workers, seconds=seconds)
    rate = clips / (time.monotonic() - started)
    print(f"{manifest.path}: {len(manifest.samples)} clips, {rate:.1f} clips/s")
    if sheet is not None:
        contact_sheet(manifest, sheet)
        print(f"pictures in {sheet}")
