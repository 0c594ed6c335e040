"""A share of the work for one process, and what puts the shares together.

Item k of a command's list (a clip, a recording, a batch of questions), counted from 0, falls to
shard I of N where k % N == I. Shards share a disk and nothing else: any of them may run anywhere,
at any time, end early and be run again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, NamedTuple

import typer

from emollama.base import torchrun
from emollama.base.errors import EmollamaError

ShardOption = Annotated[
    str | None,
    typer.Option(help="I/N: only every N-th clip, from clip I on, counted from 0.",
                 show_default="all"),
]  # fmt: skip
MergeOption = Annotated[
    bool, typer.Option("--merge", help="Compute nothing; put together what the shards have left.")
]

_NAME = re.compile(r"(\d+)-of-(\d+)\b")


class Share(NamedTuple):
    """Every `of`-th item, from item `part` on."""

    part: int = 0
    of: int = 1

    def has(self, position: int) -> bool:
        """Whether the item at a position, counted from 0, is of this share."""
        return position % self.of == self.part

    @property
    def name(self) -> str:
        """For files, e.g. "0-of-4"."""
        return f"{self.part}-of-{self.of}"

    def __str__(self) -> str:
        return f"{self.part}/{self.of}"


def shard_of(text: str | None) -> Share:
    """The share "I/N"; of None, everything.

    Raises:
        EmollamaError: it is something else.
    """
    if text is None:
        return Share()
    i, _, n = text.partition("/")
    if not i.isdecimal() or not n.isdecimal() or not int(i) < int(n):
        raise EmollamaError(f"--shard {text}: must be i/n with i from 0 to n - 1, e.g. 0/4")
    return Share(int(i), int(n))


def shard_or_merge(shard: str | None, merge: bool) -> Share | None:
    """The share of `--shard`; None without one.

    Raises:
        EmollamaError: it is no share, `--merge` is given as well, or torchrun shares the work.
    """
    if shard is not None and merge:
        raise EmollamaError(
            "--shard computes a part and --merge puts the parts together; give one of them"
        )
    if (shard is not None or merge) and torchrun.world_size() > 1:
        raise EmollamaError(
            f"{'--merge' if merge else '--shard'}: torchrun shares the work out itself; start one "
            "process a shard without it"
        )
    return None if shard is None else shard_of(shard)


def lacking(where: object, what: str, missing: Mapping[int, str], seen: Iterable[str]) -> str:
    """One line that says what `--merge` lacks, and which shard would make it.

    Args:
        where: the file or folder that is written.
        what: the items' noun, in the plural.
        missing: positions of items in the command's list, and their names.
        seen: names of files that shards have left, which begin with `Share.name`.
    """
    counts = {int(found[2]) for name in seen if (found := _NAME.match(name))}
    position, example = next(iter(missing.items()))
    text = f"{where}: --merge lacks {len(missing)} {what}, e.g. '{example}'; "
    if not counts:
        return f"{text}no shard has been run: --shard 0/N to N-1/N"
    if len(counts) > 1:
        return f"{text}shards were run with N = {', '.join(map(str, sorted(counts)))}: use one N"
    (n,) = counts
    return f"{text}run --shard {position % n}/{n} to its end"
