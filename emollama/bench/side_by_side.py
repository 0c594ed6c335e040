"""Parallel runs of a bench, with one torch thread per process."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.base.quiet import quiet_libraries
from emollama.bench.configuration import BenchConfig
from emollama.bench.plan import Run
from emollama.bench.workshop import Workshop
from emollama.workers.pool import Died, ProcessPool
from emollama.workers.process import RefusedError


def side_by_side(
    bench: BenchConfig,
    runs: Sequence[Run],
    jobs: int,
    opened: Callable[[BenchConfig], Workshop] = Workshop,
) -> Generator[tuple[Run, dict[str, Any]], None, None]:
    """Do runs in several processes; yield each with its result as it finishes.

    Its processes always end: after the last run, after an error, when it is closed, interrupted or
    killed. Finished runs and checkpoints are complete on disk.

    Args:
        bench: its configuration; every process opens the corpus itself.
        runs: the runs to do.
        jobs: processes.
        opened: creates the workshop in each process; a module-level function or class.

    Raises:
        EmollamaError: a mistake of the user, or a process died; the others are stopped.
    """
    pool: ProcessPool[Run, dict[str, Any]] = ProcessPool(
        min(jobs, len(runs)), partial(_opened, bench, opened), ("emollama.bench.workshop",), depth=1
    )
    try:
        with pool:
            for (run,), (found,) in pool.run([run] for run in runs):
                if isinstance(found, Died):
                    raise EmollamaError(
                        f"{run.key}: its process died ({found.detail}); finished runs "
                        "are kept: run the same command again to continue, with fewer --jobs "
                        "if memory is short"
                    )
                yield run, found
    except RefusedError as error:
        where = error.batch[0].key if error.batch else "a process of the bench"
        raise EmollamaError(f"{where}: {error}") from error


def _opened(
    bench: BenchConfig, opened: Callable[[BenchConfig], Workshop]
) -> tuple[None, Callable[[list[Run]], list[dict[str, Any]]]]:
    quiet_libraries()
    shop = opened(bench)
    return None, lambda runs: [shop.do(run) for run in runs]
