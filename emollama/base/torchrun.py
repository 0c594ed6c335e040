"""This process's rank and the number of processes, from torchrun's environment."""

from __future__ import annotations

import os

from emollama.base.errors import EmollamaError


def started() -> bool:
    """Whether torchrun started this process."""
    return "WORLD_SIZE" in os.environ


def rank() -> int:
    """The rank of this process among all, from 0."""
    return _number("RANK", 0)


def world_size() -> int:
    """The number of processes on all machines."""
    return _number("WORLD_SIZE", 1)


def local_rank() -> int:
    """The rank of this process on its machine, from 0."""
    return _number("LOCAL_RANK", 0)


def local_world_size() -> int:
    """The number of processes on this machine; all of them where torchrun does not say."""
    return max(1, _number("LOCAL_WORLD_SIZE", world_size()))


def _number(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    if not text.isdecimal():
        raise EmollamaError(f"{name}={text} in the environment must be a whole number, 0 or more")
    return int(text)
