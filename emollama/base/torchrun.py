"""Which of how many processes this is, as torchrun tells each in its environment."""

from __future__ import annotations

import os

from emollama.base.errors import EmollamaError


def started() -> bool:
    """Whether torchrun started this process."""
    return "WORLD_SIZE" in os.environ


def rank() -> int:
    """The number of this process among all, from 0."""
    return _number("RANK", 0)


def world_size() -> int:
    """How many processes there are on all machines."""
    return _number("WORLD_SIZE", 1)


def local_rank() -> int:
    """The number of this process among those of its machine, from 0."""
    return _number("LOCAL_RANK", 0)


def local_world_size() -> int:
    """How many processes share this machine; all of them where it is not told."""
    return max(1, _number("LOCAL_WORLD_SIZE", world_size()))


def _number(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    if not text.isdecimal():
        raise EmollamaError(f"{name}={text} in the environment must be a number from 0 on")
    return int(text)
