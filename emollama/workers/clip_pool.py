"""The pool for clips: tools that are built once per process, and jobs that name them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from emollama.base.errors import EmollamaError
from emollama.workers.pool import DIED, Died, ProcessPool
from emollama.workers.worker import Failure, Job, Tool

T = TypeVar("T")  # what the work gives for a clip and a tool
E = TypeVar("E", bound=Tool)

_PRELOAD = ("emollama.workers.worker", "torch", "emollama.encoders.table")


class ClipPool(Generic[T]):
    """Runs batches of jobs in `size` processes; used as a context manager.

    Args:
        size: number of processes; 0 works in this process.
        fingerprints: key of each tool (an encoder, a check) to its fingerprint; a worker with
            another fingerprint is an error.
        build: builds a tool from its key inside the worker; a module-level function.
        work: processes a batch with the tools by key; a module-level function.
        clip_seconds: a clip that takes longer fails and its worker is replaced.
    """

    def __init__(
        self,
        size: int,
        fingerprints: Mapping[str, str],
        build: Callable[[str], E],
        work: Callable[[Sequence[Job], dict[str, E]], list[dict[str, T | Failure]]],
        clip_seconds: float = 300.0,
    ) -> None:
        self._fingerprints = dict(fingerprints)
        self._size, self._build, self._work = size, build, work
        self._pool: ProcessPool[Job, dict[str, T | Failure]] = ProcessPool(
            size, partial(_opened, tuple(fingerprints), build, work), _PRELOAD,
            self._check, seconds=clip_seconds,
        )  # fmt: skip

    def __enter__(self) -> ClipPool[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.__exit__()

    def run(
        self, batches: Iterator[list[Job]]
    ) -> Iterator[tuple[list[Job], list[dict[str, T | Failure]]]]:
        """Yield (jobs, their outcomes by tool) as they finish, in any order.

        A worker that dies twice or hangs fails only the clip it was working on.

        Raises:
            EmollamaError: a tool cannot be built, or workers die while starting.
        """
        if not self._size:
            tools = {key: self._build(key) for key in self._fingerprints}
            for batch in batches:
                yield batch, self._work(batch, tools)
            return
        for jobs, results in self._pool.run(batches):
            yield (
                jobs,
                [
                    dict.fromkeys(job.keys, _failure(result))
                    if isinstance(result, Died)
                    else result
                    for job, result in zip(jobs, results, strict=True)
                ],
            )

    def _check(self, found: Mapping[str, str]) -> None:
        for key, fingerprint in found.items():
            if fingerprint != self._fingerprints[key]:
                raise EmollamaError(f"'{key}' differs between this process and its workers")


def _failure(died: Died) -> Failure:
    if died.reason == DIED:
        return Failure(died.reason, f"a worker process died ({died.detail})")
    return Failure(died.reason, died.detail)


def _opened(
    keys: Sequence[str],
    build: Callable[[str], E],
    work: Callable[[Sequence[Job], dict[str, E]], list[dict[str, Any]]],
) -> tuple[dict[str, str], Callable[[Sequence[Job]], list[dict[str, Any]]]]:
    """In a worker: the tools' fingerprints, and the function that uses the tools."""
    # One bar belongs on the terminal, and it is the parent's. transformers reads this when a tool
    # that needs it imports it.
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    tools = {key: build(key) for key in keys}
    return {key: tool.fingerprint for key, tool in tools.items()}, (lambda jobs: work(jobs, tools))
