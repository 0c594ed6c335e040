"""What several processes share: parameters whole (ZeRO-3), and one and the same figure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch


@contextmanager
def whole(parameters: Sequence[torch.nn.Parameter]) -> Iterator[None]:
    """These parameters whole on every process, where ZeRO-3 (Rajbhandari et al. 2020) has cut
    them; otherwise there is nothing to do. What is written into them is not kept.

    Every process must enter.
    """
    if not any(hasattr(p, "ds_id") for p in parameters):
        yield
        return
    import deepspeed

    with deepspeed.zero.GatheredParameters(list(parameters)):
        yield


@contextmanager
def gathered(model: torch.nn.Module) -> Iterator[None]:
    """Trainable parameters whole on every process, for saving, whichever of them writes."""
    with whole([p for p in model.parameters() if p.requires_grad]):
        yield


def of_first_process(value: float) -> float:
    """The first process's value, everywhere: kernels may round differently from GPU to GPU."""
    if not torch.distributed.is_initialized():
        return value
    box = [value]
    torch.distributed.broadcast_object_list(box, src=0)
    return box[0]
