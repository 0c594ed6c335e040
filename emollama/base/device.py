"""Where to compute and in which precision."""

from __future__ import annotations

import torch


def default_device() -> torch.device:
    """The accelerator where there is one, else the CPU."""
    return torch.device("cuda") if torch.cuda.is_available() else torch.device("cpu")


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 matrix products run in hardware: on this CPU, or on this GPU."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def resolve_dtype(name: str, device: torch.device) -> torch.dtype:
    """The torch type of "auto", "float32" or "bfloat16"; auto takes bfloat16 where it is fast."""
    if name == "auto":
        return torch.bfloat16 if has_fast_bfloat16(device) else torch.float32
    return torch.bfloat16 if name == "bfloat16" else torch.float32
