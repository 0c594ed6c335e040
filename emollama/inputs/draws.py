"""Randomness that is a function of (seed, epoch, sample id) and of nothing else.

Draws do not depend on workers, processes or interruptions: resuming or repacking a run gives the
same tasks, instructions, dropped channels and order.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence

from emollama.manifest.sample import Sample


def generator(seed: int, *about: object) -> random.Random:
    """A separate generator for one decision about one thing."""
    text = "/".join(str(part) for part in (seed, *about))
    return random.Random(hashlib.sha256(text.encode()).digest())


def epoch_order(seed: int, epoch: int, ids: list[str]) -> list[int]:
    """The order of one epoch: indices sorted by a hash of each sample's id."""
    keys = [hashlib.sha256(f"{seed}/{epoch}/order/{i}".encode()).digest() for i in ids]
    return sorted(range(len(ids)), key=keys.__getitem__)


def drawn(seed: int, samples: Sequence[Sample], count: int) -> list[Sample]:
    """At most `count` samples, drawn by the seed, in their original order; all if it is 0."""
    if not count or len(samples) <= count:
        return list(samples)
    chosen = epoch_order(seed, 0, [s.id for s in samples])[:count]
    return [samples[i] for i in sorted(chosen)]


class EpochOrders:
    """The order of every epoch of the same samples; caches the last one."""

    def __init__(self, seed: int, ids: list[str]) -> None:
        self.seed, self.ids = seed, ids
        self._last: tuple[int, list[int]] = (-1, [])

    def __getitem__(self, epoch: int) -> list[int]:
        """Indices of the samples in the order of an epoch."""
        if self._last[0] != epoch:
            self._last = (epoch, epoch_order(self.seed, epoch, self.ids))
        return self._last[1]
