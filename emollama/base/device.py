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


def resolve_dtype(name: str, device: torch.device) -> torch.dtype:
    """The torch type of a `Precision`; auto takes bfloat16 where it is fast, else float32.

    Raises:
        EmollamaError: the name is unknown.
    """
    require_known("dtype", name, get_args(Precision))
    if name == "auto":
        return torch.bfloat16 if has_fast_bfloat16(device) else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[name]
