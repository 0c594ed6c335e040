"""Ranks of an extraction under torchrun."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from emollama.base import torchrun
from emollama.base.errors import EmollamaError


@dataclass(frozen=True)
class Ranks:
    """The rank of this process and the world size; `local` is the number on this machine."""

    rank: int = 0
    world: int = 1
    local: int = 1
    group: Any = None

    def barrier(self) -> None:
        """Wait until every rank arrives; a rank that died is an `EmollamaError`."""
        self.total(0)

    def total(self, count: int) -> int:
        """The sum of `count` over all ranks, once every rank has arrived."""
        if self.world == 1:
            return count
        import torch
        import torch.distributed as dist

        number = torch.tensor([count])
        try:
            dist.all_reduce(number, group=self.group)
            return int(number)
        except RuntimeError as error:
            raise EmollamaError(
                f"rank {self.rank}: another rank has stopped; see its error message"
            ) from error


@contextmanager
def joined_ranks() -> Iterator[Ranks]:
    """The ranks that torchrun started (RANK, WORLD_SIZE), joined for barriers over gloo.

    An existing process group is left alone.
    """
    rank, world = torchrun.rank(), torchrun.world_size()
    local = torchrun.local_world_size()
    if world == 1:
        yield Ranks()
        return
    import torch.distributed as dist

    # Ranks may differ by hours in how long their clips take; torchrun ends all when one of them
    # fails, and a closed connection is noticed at once.
    patience = timedelta(days=14)
    ours = not dist.is_initialized()
    try:
        if ours:
            dist.init_process_group("gloo", timeout=patience)
        group = dist.new_group(backend="gloo", timeout=patience)
    except (RuntimeError, ValueError) as error:
        raise EmollamaError(f"rank {rank} cannot join the others: {error}") from error
    try:
        yield Ranks(rank, world, local, group)
    finally:
        if ours:
            dist.destroy_process_group()
