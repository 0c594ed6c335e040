"""Which samples are in a step, which channels of them are shown, and whose share they are."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import torch

from emollama.fusion.batch import FusionBatch
from emollama.fusion.data.data import FusionData
from emollama.inputs.config import ModalityDropout
from emollama.inputs.draws import EpochOrders
from emollama.manifest.channels import Channel


class Dealer:
    """Deals the samples of each epoch into steps, and each step out to the processes.

    Order and dropped channels are functions of (seed, epoch, sample id).

    Args:
        data: the training split.
        batch_size: samples of one step, over all processes.
        dropout: how often a channel is left out; of what a sample has, at least one stays, each as
            likely where all were drawn.
        seed: of the run.
        channels: by modality.
        rank: of this process, among `world`.
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
    ) -> None:
        self.data = data
        self.batch_size = batch_size
        self.dropout = dropout
        self.seed = seed
        self.channels = channels
        self.rank = rank
        self.world = world
        self.batches = -(-len(data) // batch_size)
        self._orders = EpochOrders(seed, data.ids)

    def batch(self, epoch: int, index: int) -> tuple[FusionBatch, float, int]:
        """This process's part of a step: the batch, its share of the step, how many count.

        A process that a short step leaves without a sample takes one whose share is 0.
        """
        first = index * self.batch_size
        rows = self._orders[epoch][first : first + self.batch_size]
        mine = rows[self.rank :: self.world]
        batch = self.data.batch(mine or rows[:1])
        if any((self.dropout.voice, self.dropout.face, self.dropout.words)):
            batch = self._dropped(batch, epoch)
        return batch, len(mine) / len(rows), len(mine)

    def _dropped(self, batch: FusionBatch, epoch: int) -> FusionBatch:
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
        draws = torch.tensor([self._draw(epoch, name, len(known)) for name in batch.ids])
        rates = torch.tensor([getattr(self.dropout, c) for c in known], dtype=draws.dtype)
        kept = has & (draws >= rates)
        # Where every channel was drawn, one of them stays, each as likely: what was drawn is even
        # from 0 to the channel's own rate.
        spared = torch.where(has, draws / rates.clamp(min=1e-12), -1.0).argmax(1)
        none = ~kept.any(1)
        kept[none, spared[none]] = True
        valid = {
            name: mask & kept[:, known.index(self.channels[name]), None]
            for name, mask in batch.valid.items()
        }
        return replace(batch, valid=valid)

    def _draw(self, epoch: int, sample_id: str, count: int) -> list[float]:
        """Numbers in 0..1, one a channel."""
        digest = hashlib.sha256(f"{self.seed}/{epoch}/channels/{sample_id}".encode()).digest()
        parts = (digest[8 * k : 8 * k + 8] for k in range(count))
        return [int.from_bytes(part) / 2**64 for part in parts]
