"""Runs a stage: missing rows are computed, then all are written in the clips' order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from emollama.merr.build import Build, Counts, Item
from emollama.merr.stagefile import Row, StageFile, row_key

Todo = Iterator[tuple[str, Item]]
Compute = Callable[[Todo], Iterable[tuple[str, Row]]]


@dataclass(frozen=True)
class Plan:
    """A stage whose rows are each a function of one clip.

    Attributes:
        name: of the stage and its file.
        reads: stages whose rows it reads.
        code: version, increased whenever the same input would give other rows.
        options: settings and tables that affect its rows.
        uses: stages whose keys form the row's key; all in `reads` when empty.
        retry: failed rows are computed again in every run, not only with `retry_failed`.
        own: each clip has its own row, even if another clip has the same inputs.
    """

    name: str
    reads: tuple[str, ...]
    code: int
    options: Any = None
    uses: tuple[str, ...] = ()
    retry: bool = False
    own: bool = False

    def key(self, item: Item) -> str:
        """The key of a clip's row."""
        inputs = item.keys(*(self.uses or self.reads))
        return row_key(self.name, self.code, self.options, *inputs, *([item.id] * self.own))


def fill(build: Build, plan: Plan, compute: Compute) -> Counts:
    """Compute the rows of `plan` that are missing and write the stage.

    Under torchrun each rank computes its share and rank 0 writes; a single shard computes its share
    and writes nothing yet.

    Args:
        build: the folder.
        plan: the stage.
        compute: yields rows by key for the given clips, in any order, each once.

    Returns:
        Counts of all clips (for a single shard, of its share).
    """
    began = time.monotonic()
    file = build.file(plan.name)
    missing = sum(1 for _ in todo_of(build, plan, file))
    with build.bar("clips") as advance:
        if missing:
            advance(0, missing)
        for done, (key, row) in enumerate(compute(todo_of(build, plan, file)), start=1):
            file.add(key, row)
            advance(done, missing)
    counts = settle(build, plan.name, file, lambda: _order(build, plan))
    if build.first:
        build.log(plan.name, time.monotonic() - began, computed=missing)
        build.echo(counts.line(plan.name))
    return counts


def settle(
    build: Build, name: str, file: StageFile, order: Callable[[], Iterator[tuple[int, str, str]]]
) -> Counts:
    """Write a complete stage and count its rows; every rank returns the counts.

    `order` gives (place, id, key) of each clip.
    """
    counts = Counts()
    if build.ranks.world == 1 and build.shard.of > 1:
        for index, clip, key in order():
            if build.mine(index):
                counts.see(clip, file.get(key))
        file.close()
        return counts
    file.close()
    build.ranks.barrier()
    if build.first:
        file.reload()
        file.seal((clip, key) for _, clip, key in order())
    build.ranks.barrier()
    for row in file.rows():
        counts.see(str(row["id"]), row)
    if build.first:
        build.note(name, counts)
    file.close()
    return counts


def each(compute: Callable[[Item], Row]) -> Compute:
    """One clip after the other, in this process."""
    return lambda todo: ((key, compute(item)) for key, item in todo)


def _order(build: Build, plan: Plan) -> Iterator[tuple[int, str, str]]:
    for item in build.items(*plan.reads):
        yield item.index, item.id, plan.key(item)


def todo_of(build: Build, plan: Plan, file: StageFile) -> Todo:
    """Clips of this process without a row; of clips with the same key only the first."""
    seen: set[str] = set()
    for item in build.items(*plan.reads):
        key = plan.key(item)
        if not build.mine(item.index) or key in seen:
            continue
        seen.add(key)
        again = plan.retry or build.settings.retry_failed
        if key not in file or (again and file.get(key).get("status") == "failed"):
            yield key, item
