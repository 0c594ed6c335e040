"""`emollama arena`: everybody's models over the same clips and questions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emollama.base.errors import EmollamaError
from emollama.base.paths import need_folder
from emollama.base.quiet import quiet_libraries
from emollama.cli.grammar import Overrides, configuration


def arena(
    config: Annotated[
        str | None,
        typer.Argument(
            metavar="CONFIG", help="YAML file of an arena, or the name of a preset, e.g. people."
        ),
    ] = None,
    overrides: Overrides = None,
    score: Annotated[
        Path | None,
        typer.Option(help="Make the report of an arena again from its folder."),
    ] = None,
    mteb: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Also write the clips as a task of MTEB.", show_default="none"
        ),
    ] = None,
) -> None:
    """Ask everybody's models the same questions about the same clips.

    A contestant is an artefact, or any endpoint with OpenAI's chat completions. A stopped arena
    resumes where it was.
    """
    if (config is None) == (score is None):
        raise EmollamaError("give the YAML of an arena, or --score FOLDER of one")
    found = None if config is None else configuration(
        "arena", "arena", config, overrides, None, None
    )  # fmt: skip
    if score is not None:
        need_folder(score)
    from emollama.arena.configuration import ArenaConfig
    from emollama.base.config import load_config, need_data

    loaded = None
    if found is not None:
        need_data(*found)
        loaded = load_config(ArenaConfig, *found)
    quiet_libraries()
    from emollama.arena.report import HTML, leaderboard
    from emollama.arena.run import run_arena, score_folder
    from emollama.scoring.report.tables import print_tables

    if loaded is not None:
        folder, result = loaded.output, run_arena(loaded)
    else:
        assert score is not None
        folder, result = score, score_folder(score)
    if mteb is not None:
        from emollama.arena.mteb import write_task

        write_task(folder, mteb)
        print(f"task of MTEB in {mteb}")
    print_tables([leaderboard(result)])
    print(f"report in {folder / HTML}")
