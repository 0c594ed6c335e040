"""`emollama evaluate`: predictions of a trained model on a split, and the report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emollama.base import torchrun
from emollama.base.quiet import quiet_libraries
from emollama.cli.grammar import Config, OldConfig, OldOptions, Overrides, configuration
from emollama.workers.shares import MergeOption, ShardOption, shard_or_merge


def evaluate(
    config: Config = None,
    overrides: Overrides = None,
    dataset: Annotated[
        str | None,
        typer.Option(metavar="D", help="Which of the configuration's evaluation_datasets.",
                     show_default="its only one"),
    ] = None,
    n_samples: Annotated[
        int | None,
        typer.Option(help="For a quick look: evaluate only this many samples, drawn by the seed.",
                     min=1, show_default="all"),
    ] = None,
    shard: ShardOption = None,
    merge: MergeOption = False,
    cfg_path: OldConfig = None,
    options: OldOptions = None,
) -> None:  # fmt: skip
    """Evaluate a trained model on a split.

    Writes predictions, metrics, figures and a report. With --shard several commands share the
    batches of clips, on any machines that see the output; then the same command with --merge.
    """
    path, values = configuration("evaluate", "evaluate", config, overrides, cfg_path, options)
    run_evaluation(path, values, dataset, n_samples, shard, merge)


def run_evaluation(
    path: Path, overrides: list[str], dataset: str | None = None, n_samples: int | None = None,
    shard: str | None = None, merge: bool = False,
) -> None:  # fmt: skip
    """Evaluate as a configuration says, print the report and write it.

    `n_samples` takes the place of `data.limit`.
    """
    share = shard_or_merge(shard, merge)
    from emollama.assets.hub import artefact_folder
    from emollama.base.config import load_config
    from emollama.base.paths import need_file, need_store
    from emollama.evaluation.config import EvalConfig
    from emollama.manifest.split_file import need_split

    limit = [] if n_samples is None else [f"data.limit={n_samples}"]
    config = load_config(EvalConfig, path, [*overrides, *limit], dataset)
    if not config.model.is_file():  # a released checkpoint is a file
        artefact_folder(config.model)
    need_file(config.data.manifest)
    need_file(config.data.split_file)
    need_store(config.data.store)
    need_split(config.data.manifest, config.data.split, config.data.split_file)
    quiet_libraries()
    from emollama.evaluation.evaluate import evaluate
    from emollama.scoring.report.scoring import score_tables
    from emollama.scoring.report.tables import print_report, print_tables

    found = evaluate(config, share, merge)
    if share is not None:
        print(f"shard {share} is done; when all are: the same command with --merge")
        return
    if torchrun.rank() != 0:
        return  # every rank has the same report
    if found.report is not None:
        print_report(found.report)
    if found.scores is not None:
        print_tables(score_tables(found.scores))
    print(f"report in {config.output}")
