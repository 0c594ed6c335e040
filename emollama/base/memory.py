"""How much memory there is, and giving back what was freed."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from pathlib import Path

import psutil
import torch

_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of malloc.h

CGROUP = Path("/sys/fs/cgroup")
"""Limits of a container, where there are any."""


def free_memory(device: torch.device) -> int | None:
    """Bytes that can still be taken on a device; None where that is not known.

    On a CPU what the system calls available (the page cache counts), or what a container's limit
    leaves if that is less.
    """
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type != "cpu":
        return None
    available = int(psutil.virtual_memory().available)
    left = _left_in_container()
    return available if left is None else min(available, left)


def _left_in_container() -> int | None:
    try:
        limit = (CGROUP / "memory.max").read_text(encoding="ascii").strip()
        if limit == "max":
            return None
        used = int((CGROUP / "memory.current").read_text(encoding="ascii"))
        rows = (CGROUP / "memory.stat").read_text(encoding="ascii").splitlines()
        cache = next((int(r.split()[1]) for r in rows if r.startswith("inactive_file ")), 0)
        return max(0, int(limit) - used + cache)
    except (OSError, ValueError, IndexError):
        return None


def map_large_blocks() -> None:
    """Have the C library take every block above 1 MB from the system and give it back, once it is
    freed, where it can (glibc).

    glibc otherwise raises that limit to 32 MB with the blocks that are freed, and the quantised
    layers and temporary tensors of a model below it leave gaps: 2 GB of them in a 7B model.
    """
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, 1 << 20)


def give_back_freed_memory() -> None:
    """Have the C library return freed memory to the system, where it can (glibc).

    glibc keeps the gaps that freed tensors leave, and torch's aligned requests rarely fit into a
    gap of their own size: without this a model folded layer by layer takes twice its size.
    """
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


class Freed:
    """Memory of temporary tensors, given back to the system whenever enough was freed."""

    enough = 1 << 26

    def __init__(self) -> None:
        self._size = 0

    def add(self, size: int) -> None:
        """Count `size` bytes that were freed."""
        self._size += size
        if self._size > self.enough:
            give_back_freed_memory()
            self._size = 0
