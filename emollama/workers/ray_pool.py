"""The pool of clips on Ray Data: actors that decode and encode, on one machine or a cluster.

An actor runs a `ClipPool` of one process, so that a clip that kills or hangs it fails alone, as it
does without Ray. An actor that dies with its machine is Ray's to replace: its batch is done again
elsewhere, with the same result. What has been done is kept by the caller, in the parts of the
feature store, and not by Ray.

RAY_ADDRESS names a cluster; without it Ray starts on this machine, on the loopback address, and
ends with this process. Manifest, media and assets must be at the same paths everywhere.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from emollama.base.errors import EmollamaError
from emollama.workers.clip_pool import ClipPool
from emollama.workers.worker import Failure, Job, Tool

T = TypeVar("T")
E = TypeVar("E", bound=Tool)
Given = tuple[Mapping[str, str], Callable[[str], Any], Callable[..., Any], float]

_MOST_BLOCKS = 20_000
"""Ray keeps a record of every block; above this number of batches a block holds several."""


_ATTEMPTS = 3
"""At a start: Ray waits 30 s for its own processes, which a busy machine may need longer for."""
_SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0"}
_HERE = {
    # Whatever its name says, on Linux too this is what keeps Ray on the loopback address.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # A busy machine is late with its heartbeats, and Ray would take its only node for dead.
    "RAY_health_check_failure_threshold": "1000",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}


class RayPool(Generic[T]):
    """Runs batches of jobs in `size` actors; used as `ClipPool` is, whose arguments it takes."""

    def __init__(
        self,
        size: int,
        fingerprints: Mapping[str, str],
        build: Callable[[str], E],
        work: Callable[[Sequence[Job], dict[str, E]], list[dict[str, T | Failure]]],
        clip_seconds: float = 300.0,
    ) -> None:
        self._size = max(1, size)
        self._given: Given = (dict(fingerprints), build, work, clip_seconds)
        self._started = False

    def __enter__(self) -> RayPool[T]:
        return self

    def __exit__(self, *_: object) -> None:
        if self._started:
            import ray

            ray.shutdown()

    def run(
        self, batches: Iterator[list[Job]]
    ) -> Iterator[tuple[list[Job], list[dict[str, T | Failure]]]]:
        """Yield (jobs, their outcomes by tool) as they finish, in any order.

        Raises:
            EmollamaError: a tool cannot be built, workers die while starting, or Ray does.
        """
        jobs = list(batches)
        if not jobs:
            return
        self._start()
        import ray.data

        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_options.preserve_order = False
        rows = [{"number": i, "jobs": batch} for i, batch in enumerate(jobs)]
        data = ray.data.from_items(rows, override_num_blocks=min(len(rows), _MOST_BLOCKS)).map(
            _Actor,
            fn_constructor_args=(self._given,),
            compute=ray.data.ActorPoolStrategy(size=self._size),
            num_cpus=1,
        )
        try:
            for row in data.iter_rows():
                if row["error"]:
                    raise EmollamaError(row["error"])
                yield jobs[row["number"]], row["outcomes"]
        except ray.exceptions.RayError as error:
            why = " ".join(str(error).split())[:200]
            raise EmollamaError(f"Ray has stopped: {why}; the same command goes on") from error

    def _start(self) -> None:
        for name, value in (
            _SETTINGS if os.environ.get("RAY_ADDRESS") else _SETTINGS | _HERE
        ).items():
            os.environ.setdefault(name, value)
        import ray.data

        for name in ("ray", "ray.data"):
            logging.getLogger(name).setLevel(logging.ERROR)
        if not ray.is_initialized():
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    ray.init(**_where(self._size))
                    break
                except Exception as error:  # the class that Ray raises after 30 s
                    ray.shutdown()
                    if attempt == _ATTEMPTS:
                        where = os.environ.get("RAY_ADDRESS") or "this machine"
                        why = " ".join(str(error).split())[:200]
                        raise EmollamaError(f"--engine ray: no Ray at {where}: {why}") from error
            self._started = True


class _Actor:
    """In an actor: answers {number, jobs} with {number, outcomes, error}."""

    def __init__(self, given: Given) -> None:
        fingerprints, build, work, seconds = given
        self._pool: ClipPool[Any] = ClipPool(1, fingerprints, build, work, seconds)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        jobs: list[Job] = list(row["jobs"])
        found: dict[str, Any] = {}
        error = ""
        try:
            for some, outcomes in self._pool.run(iter([jobs])):
                found |= {job.id: o for job, o in zip(some, outcomes, strict=True)}
        except EmollamaError as problem:
            error = str(problem)
        outcomes = [] if error else [found[job.id] for job in jobs]
        return {"number": row["number"], "outcomes": outcomes, "error": error}


def _where(size: int) -> dict[str, Any]:
    """What Ray is started with."""
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    if os.environ.get("RAY_ADDRESS"):
        return quiet
    # One processor more than actors: reading the list of clips takes one for a moment.
    return {**quiet, "address": "local", "num_cpus": size + 1, "include_dashboard": False}
