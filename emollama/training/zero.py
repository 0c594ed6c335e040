"""What several processes share: parameters whole (ZeRO-3), and one and the same figure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def is_partitioned(model: torch.nn.Module) -> bool:
    """Whether each process holds only its part of the parameters."""
    return any(hasattr(p, "ds_id") for p in model.parameters())


def of_first_process(value: float) -> float:
    """The first process's value, everywhere: kernels may round differently from GPU to GPU."""
    if not torch.distributed.is_initialized():
        return value
    box = [value]
    torch.distributed.broadcast_object_list(box, src=0)
    return box[0]


@contextmanager
def gathered(model: torch.nn.Module) -> Iterator[None]:
    """Trainable parameters whole on every process, for saving, where ZeRO-3 (Rajbhandari et al.
    2020) has cut them; otherwise there is nothing to do.

    Every process must enter, whichever of them writes.
    """
    if not is_partitioned(model):
        yield
        return
    import deepspeed

    with deepspeed.zero.GatheredParameters([p for p in model.parameters() if p.requires_grad]):
        yield
