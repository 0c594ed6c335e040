"""`emollama synth`: the probe corpus."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from emollama.base.errors import EmollamaError

CLIPS, PAIRS, SCENES, SCENE_SECONDS, SCENE_PEOPLE = 600, 150, 10, 600, 2


def synth(
    out: Annotated[Path, typer.Option(help="Folder of the corpus.")],
    clips: Annotated[
        int | None,
        typer.Option(help="Number of clips (600 when not given), pairs (150) or scenes (10)."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 7,
    workers: Annotated[int, typer.Option(help="Processes; 0 for one per core.")] = 0,
    seconds: Annotated[
        int,
        typer.Option(
            help="Make videos of this length with valence and arousal of every frame; "
            "0 for clips of one emotion, or scenes of 600 s."
        ),
    ] = 0,
    scene: Annotated[
        bool,
        typer.Option(
            "--scene",
            help="Make recordings of several people who speak in turn and at once, with the truth "
            "of who, when, where and which emotion beside each.",
        ),
    ] = False,
    twins: Annotated[
        bool,
        typer.Option(
            "--twins",
            help="Make pairs of clips that are the same but for one cue: an action unit, pitch, "
            "rate, loudness, range, or the sentence.",
        ),
    ] = False,
    people: Annotated[
        int | None, typer.Option(help="People of a scene: 2 (when not given) or 3.")
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="PNG to write, with one row of faces per emotion.")
    ] = None,
) -> None:
    """Make the probe corpus: drawn talking faces whose channels may disagree."""
    if (seconds or scene) and sheet is not None:
        raise EmollamaError(
            "--sheet shows clips of one emotion; it does not go with --seconds or --scene"
        )
    if twins and (seconds or scene or sheet is not None):
        raise EmollamaError("--twins makes pairs of clips; it does not go with --scene, --seconds "
                            "or --sheet")  # fmt: skip
    if people is not None and not scene:
        raise EmollamaError("--people goes with --scene; a clip shows one person")
    from emollama.probe import contact_sheet, synthesize

    started = time.monotonic()
    if scene:
        who = SCENE_PEOPLE if people is None else people
        count = SCENES if clips is None else clips
        seconds = seconds or SCENE_SECONDS
        manifest = synthesize(out, count, seed, workers, seconds=seconds, people=who)
        rate = count * seconds / (time.monotonic() - started)
        print(f"{manifest.path}: {count} scenes of {seconds} s, {rate:.1f} times real time")
        return
    count = (PAIRS if twins else CLIPS) if clips is None else clips
    manifest = synthesize(out, count, seed, workers, seconds=seconds, twins=twins)
    rate = len(manifest.samples) / (time.monotonic() - started)
    print(f"{manifest.path}: {len(manifest.samples)} clips, {rate:.1f} clips/s")
    if sheet is not None:
        contact_sheet(manifest, sheet)
        print(f"pictures in {sheet}")
