"""Randomness that is a function of (seed, epoch, sample id) and of nothing else.

Draws do not depend on workers, processes or interruptions: resuming or repacking a run gives the
same tasks, instructions, dropped channels and order.
"""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Balance:
    """The part of every corpus in an epoch.

    Attributes:
        corpora: the corpus of each sample.
        shares: by corpus, relative to each other.
    """

    corpora: Sequence[str]
    shares: Mapping[str, float]

    def counts(self) -> dict[str, int]:
        """Samples of each corpus in an epoch, by largest remainder; together as many as there are
        samples.
        """
        names = sorted(set(self.corpora))
        whole = sum(self.shares[name] for name in names)
        exact = {name: len(self.corpora) * self.shares[name] / whole for name in names}
        found = {name: int(exact[name]) for name in names}
        left = len(self.corpora) - sum(found.values())
        for name in sorted(names, key=lambda n: (found[n] - exact[n], n))[:left]:
            found[name] += 1
        return found


def balanced_order(
    seed: int, epoch: int, ids: Sequence[str], balance: Balance
) -> list[tuple[int, int]]:
    """The order of one epoch in which each corpus has its share: (index, repeat) of each place.

    A small corpus is repeated (0 is a sample's first place), of a large one a part is drawn anew in
    each epoch. Part and order are those of hashes of the ids.
    """
    members: defaultdict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(balance.corpora):
        members[name].append(index)

    def key(what: str, place: tuple[int, int]) -> bytes:
        index, repeat = place
        return hashlib.sha256(f"{seed}/{epoch}/{what}/{ids[index]}/{repeat}".encode()).digest()

    chosen: list[tuple[int, int]] = []
    for name, count in balance.counts().items():
        times, rest = divmod(count, len(members[name]))
        chosen += [(index, repeat) for repeat in range(times) for index in members[name]]
        partial = [(index, times) for index in members[name]]
        chosen += sorted(partial, key=lambda place: key("chosen", place))[:rest]
    return sorted(chosen, key=lambda place: key("order", place))


class EpochOrders:
    """The order of every epoch of the same samples; caches the last one.

    With a `balance`, each corpus has its share of an epoch (`balanced_order`).
    """

    def __init__(self, seed: int, ids: list[str], balance: Balance | None = None) -> None:
        self.seed, self.ids, self.balance = seed, ids, balance
        self._last: tuple[int, list[int], list[int]] = (-1, [], [])

    def __getitem__(self, epoch: int) -> list[int]:
        """Indices of the samples in the order of an epoch."""
        return self._of(epoch)[1]

    def repeats(self, epoch: int) -> list[int]:
        """How often each of them occurred in that epoch before."""
        return self._of(epoch)[2]

    def _of(self, epoch: int) -> tuple[int, list[int], list[int]]:
        if self._last[0] != epoch:
            if self.balance is None:
                order = epoch_order(self.seed, epoch, self.ids)
                self._last = (epoch, order, [0] * len(order))
            else:
                places = balanced_order(self.seed, epoch, self.ids, self.balance)
                self._last = (epoch, [i for i, _ in places], [r for _, r in places])
        return self._last
