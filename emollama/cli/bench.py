"""`emollama bench`: models compared on the same folds, in one table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emollama.base.errors import EmollamaError
from emollama.base.quiet import quiet_libraries


def bench(
    config: Annotated[Path | None, typer.Argument(help="YAML of the bench.")] = None,
    options: Annotated[list[str] | None, typer.Option(help="Overrides, a.b=c.")] = None,
    jobs: Annotated[int, typer.Option(help="Processes, one torch thread each.", min=1)] = 1,
    score: Annotated[
        Path | None, typer.Option(help="Make the tables of this bench's folder again.")
    ] = None,
) -> None:
    """Train models x strategies x seeds x folds, go on where it was stopped, print one table."""
    quiet_libraries()
    from emollama.bench.bench import run_bench, score_folder
    from emollama.bench.plan import load_bench
    from emollama.bench.report import bench_table
    from emollama.scoring.report.tables import print_tables

    if (config is None) == (score is None):
        raise EmollamaError("give the YAML of a bench, or --score FOLDER of a finished one")
    if config is not None:
        result = run_bench(load_bench(config, options or []), jobs)
    else:
        assert score is not None
        result = score_folder(score)
    print_tables([bench_table(result)])
