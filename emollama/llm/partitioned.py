"""Helpers for several processes: full parameters (ZeRO-3), and one common value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch


@contextmanager
def whole(parameters: Sequence[torch.nn.Parameter]) -> Iterator[None]:
    """Gather parameters that ZeRO-3 (Rajbhandari et al. 2020) has partitioned; otherwise do
    nothing. Changes to them are not kept.

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
    """Full trainable parameters in float32 on every process, for saving by any of them.

    ZeRO-1 and ZeRO-2 in bfloat16 compute with rounded copies; the exact values are in the
    optimizer.
    """
    trained = [p for p in model.parameters() if p.requires_grad]
    with whole(trained):
        rounded = [(p, p.data) for p in trained if hasattr(p, "_hp_mapping")]
        for parameter, _ in rounded:
            parameter.data = _master(parameter)
        try:
            yield
        finally:
            for parameter, values in rounded:
                parameter.data = values


def _master(parameter: torch.nn.Parameter) -> torch.Tensor:
    """The optimizer's float32 values of a parameter; every process must call this."""
    from deepspeed.utils import safe_get_full_fp32_param

    found: torch.Tensor = safe_get_full_fp32_param(parameter)
    return found.to(parameter.device)


def of_first_process(value: float) -> float:
    """The first process's value on all processes: kernels may round differently on each GPU."""
    if not torch.distributed.is_initialized():
        return value
    box = [value]
    torch.distributed.broadcast_object_list(box, src=0)
    return box[0]
