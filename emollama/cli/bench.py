"""`emollama bench`: models compared on the same folds, in one table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emollama.base.errors import EmollamaError
from emollama.base.paths import need_answers
from emollama.base.quiet import quiet_libraries
from emollama.cli.grammar import OldOptions, Overrides, configuration


def bench(
    config: Annotated[
        str | None,
        typer.Argument(
            metavar="CONFIG", help="YAML file of a bench, or the name of a preset, e.g. probe."
        ),
    ] = None,
    overrides: Overrides = None,
    jobs: Annotated[int, typer.Option(help="Processes, with one torch thread each.", min=1)] = 1,
    score: Annotated[
        Path | None,
        typer.Option(help="Rebuild the tables of a finished bench from its folder."),
    ] = None,
    options: OldOptions = None,
) -> None:
    """Compare models and strategies over seeds and folds, in one table.

    A stopped bench resumes where it was.
    """
    if (config is None) == (score is None):
        raise EmollamaError("give the YAML of a bench, or --score FOLDER of a finished one")
    found = None if config is None else configuration(
        "bench", "bench", config, overrides, None, options
    )  # fmt: skip
    if score is not None:
        need_answers(score)
    quiet_libraries()
    from emollama.bench.bench import run_bench, score_folder
    from emollama.bench.plan import load_bench
    from emollama.bench.report import bench_tables
    from emollama.scoring.report.tables import print_tables

    if found is not None:
        result = run_bench(load_bench(*found), jobs)
    else:
        assert score is not None
        result = score_folder(score)
    print_tables(bench_tables(result))
