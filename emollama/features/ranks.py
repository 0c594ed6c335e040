"""The share of one process in an extraction under torchrun."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from emollama.errors import EmollamaError


@dataclass(frozen=True)
class Ranks:
    """Which of how many processes this is; `local` is how many share the machine."""

    rank: int = 0
    world: int = 1
    local: int = 1

    def barrier(self) -> None:
        """Wait until every rank has come here; a rank that has died is an `EmollamaError`."""
        if self.world == 1:
            return
        import torch.distributed as dist

        try:
            dist.barrier()
        except RuntimeError as error:
            raise EmollamaError(
                f"rank {self.rank}: another rank has stopped; see its own message"
            ) from error


@contextmanager
def joined_ranks() -> Iterator[Ranks]:
    """The ranks that torchrun started (RANK, WORLD_SIZE), joined for barriers over gloo.

    A process group that is there already is used and left alone.
    """
    try:
        rank, world = (int(os.environ.get(k, d)) for k, d in (("RANK", "0"), ("WORLD_SIZE", "1")))
        local = int(os.environ.get("LOCAL_WORLD_SIZE", str(world)))
    except ValueError as error:
        raise EmollamaError(f"RANK and WORLD_SIZE must be numbers: {error}") from error
    if world == 1:
        yield Ranks()
        return
    import torch.distributed as dist

    ours = not dist.is_initialized()
    if ours:
        try:
            # Ranks may differ by hours in how long their clips take; torchrun ends us all when
            # one of them fails, and a closed connection is noticed at once.
            dist.init_process_group("gloo", timeout=timedelta(days=14))
        except (RuntimeError, ValueError) as error:
            raise EmollamaError(f"rank {rank} cannot join the others: {error}") from error
    try:
        yield Ranks(rank, world, max(1, local))
    finally:
        if ours:
            dist.destroy_process_group()
