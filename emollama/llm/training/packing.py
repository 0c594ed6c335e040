"""Distributes the samples of a step over packed rows.

A step's samples are fixed; here they are distributed over rows of at most so many tokens
(`llm.batch.by_count` groups rows of similar length for padding). The same number for every process,
as ZeRO's collective calls need it, and a function of the lengths alone.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence


def by_tokens(lengths: Sequence[int], budget: int, multiple: int = 1) -> list[list[int]]:
    """Indices in as few groups as hold at most `budget` tokens each, of about equal size.

    Longest first, each into the group with the least in it (Graham 1969), with one more round of
    groups until all fit. A sample longer than the budget has a group of its own.

    Args:
        lengths: tokens of each sample; at least `multiple` of them.
        budget: tokens of a group.
        multiple: the number of groups is a multiple of this (the processes).
    """
    most = len(lengths) // multiple * multiple
    count = max(multiple, -(-sum(min(n, budget) for n in lengths) // budget // multiple) * multiple)
    while True:
        count = min(count, most)
        groups = _dealt(lengths, count)
        fits = all(len(g) == 1 or sum(lengths[i] for i in g) <= budget for g in groups)
        if fits or count == most:
            return groups
        count += multiple


def _dealt(lengths: Sequence[int], count: int) -> list[list[int]]:
    groups: list[list[int]] = [[] for _ in range(count)]
    heap = [(0, 0, g) for g in range(count)]
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        tokens, members, group = heapq.heappop(heap)
        groups[group].append(index)
        # Fewer members first among equals: no group stays empty while another has two.
        heapq.heappush(heap, (tokens + lengths[index], members + 1, group))
    return groups
