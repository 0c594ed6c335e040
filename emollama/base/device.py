"""Where to compute and in which precision."""

from __future__ import annotations

from typing import get_args

import torch

from emollama.base.errors import require_known
from emollama.base.precision import Precision


def default_device() -> torch.device:
    """The accelerator where there is one, else the CPU."""
    return torch.device("cuda") if torch.cuda.is_available() else torch.device("cpu")


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 matrix products run in hardware: on this CPU, or on this GPU."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def resolve_dtype(
    name: str, device: torch.device, stored: torch.dtype = torch.float32
) -> torch.dtype:
    """The torch type of a `Precision`.

    "auto" takes bfloat16 where it is fast, and where the weights are stored in 16 bits: in float32
    they would take twice the memory and be no more exact. Else it takes float32.

    Args:
        name: of the precision.
        device: where the model runs.
        stored: the format of the weights on disk.

    Raises:
        EmollamaError: the name is unknown.
    """
    require_known("dtype", name, get_args(Precision))
    if name == "auto":
        narrow = has_fast_bfloat16(device) or stored.itemsize <= 2
        return torch.bfloat16 if narrow else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[name]
