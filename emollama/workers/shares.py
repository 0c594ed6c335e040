"""A share of the work for this process: the I-th of every N clips, or recordings."""

from __future__ import annotations

from typing import Annotated

import typer

from emollama.base.errors import EmollamaError

ShardOption = Annotated[
    str | None,
    typer.Option(help="I/N: only every N-th clip, from clip I on, counted from 0.",
                 show_default="all"),
]  # fmt: skip


def shard_of(text: str | None) -> tuple[int, int]:
    """I and N of "I/N"; (0, 1) of None.

    Raises:
        EmollamaError: it is something else.
    """
    if text is None:
        return 0, 1
    i, _, n = text.partition("/")
    if not i.isdecimal() or not n.isdecimal() or not int(i) < int(n):
        raise EmollamaError(f"--shard {text}: must be i/n with i from 0 to n - 1, e.g. 0/4")
    return int(i), int(n)
