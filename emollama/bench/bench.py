"""Runs a bench from start to table: all remaining runs, in parallel if requested."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.base.files import sole_writer
from emollama.base.paths import ANSWERS_FILE, need_answers
from emollama.base.progress import pace
from emollama.bench.answers_file import gather, read_answers, require_compared, write_answers
from emollama.bench.configuration import BenchConfig
from emollama.bench.folds import fold_warnings
from emollama.bench.plan import Run
from emollama.bench.report import write_bench
from emollama.bench.side_by_side import side_by_side
from emollama.bench.workshop import WORKING, Workshop
from emollama.runs.run_folder import tell_left_out
from emollama.scoring.metrics.tasks import TITLES


def run_bench(bench: BenchConfig, jobs: int = 1) -> dict[str, Any]:
    """Do all remaining runs, and write predictions and tables.

    Args:
        bench: its configuration.
        jobs: processes; with several, each uses one torch thread.

    Returns:
        The content of bench.json.

    Raises:
        EmollamaError: for mistakes of the user; finished runs are kept.
    """
    with sole_writer(bench.output, f"{bench.output}: another bench is writing to it"):
        shop = Workshop(bench)
        require_compared(shop)
        _tell(shop)
        for wave in waves(shop):
            left = [r for r in wave if shop.finished(r, shop.configured(r)) is None]
            if len(left) < len(wave):
                _say(f"{len(wave) - len(left)} of {len(wave)} runs are done already")
            _work(shop, left, jobs)
        shutil.rmtree(bench.output / WORKING, ignore_errors=True)
        compact = gather(shop, _say)
        write_answers(bench.output / ANSWERS_FILE, compact)
        return write_bench(compact, bench.output)


def waves(shop: Workshop) -> Iterator[list[Run]]:
    """All trials of all searches, then the runs that answer the tests."""
    folds = range(len(shop.folds))
    trials = [
        Run(row.key, fold, row.search.seed, trial)
        for row in shop.rows.values()
        if row.search is not None
        for fold in folds
        for trial in range(row.search.trials)
    ]
    if trials:
        yield trials
    yield [Run(key, fold, seed) for key in shop.rows for seed in shop.bench.seeds for fold in folds]


def _work(shop: Workshop, runs: Sequence[Run], jobs: int) -> None:
    started = time.monotonic()
    if jobs == 1 or len(runs) < 2:
        for done, run in enumerate(runs, 1):
            try:
                result = shop.do(run)
            except EmollamaError as error:
                raise EmollamaError(f"{run.key}: {error}") from error
            _told(shop, run, result, done, len(runs), started)
        return
    with closing(side_by_side(shop.bench, runs, jobs)) as found:
        for done, (run, result) in enumerate(found, 1):
            _told(shop, run, result, done, len(runs), started)


def _tell(shop: Workshop) -> None:
    for line in fold_warnings(shop.folds):
        _say(f"WARNING: {line}")
    for fold in shop.folds:
        for note in fold.notes:
            _say(f"fold {fold.name}: {note}")
    tell_left_out(shop.left_out, _say)
    sizes = ", ".join(str(len(shop.tested(k))) for k in range(len(shop.folds)))
    _say(
        f"{len(shop.samples)} samples, {len(shop.folds)} folds with {sizes} test clips; "
        f"{len(shop.rows)} rows, {len(shop.bench.seeds)} seeds"
    )


def _told(
    shop: Workshop, run: Run, result: dict[str, Any], done: int, total: int, started: float
) -> None:
    best, what = result["best"], f"seed {run.seed}" if run.trial is None else f"trial {run.trial}"
    _say(
        f"{done}/{total}  {shop.rows[run.row].name}  fold {shop.folds[run.fold].name}  {what}  "
        f"validation {TITLES[best['metric']]} {best['value']:.4f} in epoch {best['epoch']} of "
        f"{result['epochs']}  {result['seconds']:.1f} s  "
        f"{pace(done, total, time.monotonic() - started, 'runs')}"
    )


def score_folder(folder: Path) -> dict[str, Any]:
    """Rebuild the tables of a finished bench from its answers.

    Raises:
        EmollamaError: the folder holds no answers.
    """
    need_answers(folder)
    return write_bench(read_answers(folder / ANSWERS_FILE), folder)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
