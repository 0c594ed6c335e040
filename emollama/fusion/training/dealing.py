"""Distributes samples over steps and processes, and draws the dropped channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from emollama.fusion.batch import FusionBatch
from emollama.fusion.data.data import FusionData
from emollama.inputs.config import ModalityDropout
from emollama.inputs.draws import Balance, EpochOrders
from emollama.inputs.dropping import kept_table
from emollama.inputs.enrolment import Enrolment
from emollama.manifest.channels import Channel


class Dealer:
    """Distributes the samples of each epoch over steps, and each step over the processes.

    Order and dropped channels are functions of (seed, epoch, sample id).

    Args:
        data: the training split.
        batch_size: samples of one step, over all processes.
        dropout: how often a channel is left out; of what a sample has, at least one stays, each as
            likely where all were drawn.
        seed: of the run.
        channels: of the modalities.
        rank: of this process, among `world`.
        people: of the samples, each known by a number of clips that is drawn anew every epoch.
        balance: of several corpora; None for one.
    """

    def __init__(
        self,
        data: FusionData,
        batch_size: int,
        dropout: ModalityDropout,
        seed: int,
        channels: dict[str, Channel],
        rank: int = 0,
        world: int = 1,
        people: Enrolment | None = None,
        balance: Balance | None = None,
    ) -> None:
        self.data = data
        self.people = people
        self.batch_size = batch_size
        self.dropout = dropout
        self.seed = seed
        self.channels = channels
        self.rank = rank
        self.world = world
        self.batches = -(-len(data) // batch_size)
        self._orders = EpochOrders(seed, data.ids, balance)

    def batch(self, epoch: int, index: int) -> tuple[FusionBatch, float, int]:
        """This process's part of a step: the batch, its share of the step, and its number of
        samples.

        A process without a sample in a short step gets one whose share is 0.
        """
        first = index * self.batch_size
        step = slice(first, first + self.batch_size)
        rows, repeats = self._orders[epoch][step], self._orders.repeats(epoch)[step]
        mine = rows[self.rank :: self.world]
        known = {"known": self.people.in_epoch(self.seed, epoch)} if self.people else {}
        batch = self.data.batch(mine or rows[:1], **known)
        if any((self.dropout.voice, self.dropout.face, self.dropout.words)):
            batch = self._dropped(batch, epoch, repeats[self.rank :: self.world] or repeats[:1])
        return batch, len(mine) / len(rows), len(mine)

    def _dropped(self, batch: FusionBatch, epoch: int, repeats: Sequence[int]) -> FusionBatch:
        known = sorted(set(self.channels.values()))
        has = torch.stack(
            [
                torch.stack(
                    [batch.present(n) for n in batch.valid if self.channels[n] == channel]
                ).any(0)
                for channel in known
            ],
            dim=1,
        )
        # A sample that an epoch repeats has draws of its own each time.
        names = [f"{i}/{r}" if r else i for i, r in zip(batch.ids, repeats, strict=True)]
        kept = kept_table(self.seed, epoch, names, has, known, self.dropout)
        valid = {
            name: mask & kept[:, known.index(self.channels[name]), None]
            for name, mask in batch.valid.items()
        }
        return replace(batch, valid=valid)
