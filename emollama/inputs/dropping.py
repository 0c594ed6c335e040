"""Modality dropout: the channels of a sample in a training step, for every kind of model.

Each channel of a sample is dropped with its own rate; if all would be dropped, one of them, chosen
uniformly, stays. A sample's draws are a function of the seed, the epoch and its id. They are drawn
one by one for a prompt and as a table for a batch of features, so the two kinds of run have
different draws.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence

import torch
from torch import Tensor

from emollama.inputs.config import ModalityDropout
from emollama.manifest.channels import Channel


def kept_channels(
    draw: random.Random, known: Sequence[Channel], dropout: ModalityDropout
) -> frozenset[Channel]:
    """The channels of a sample that are kept, from its own generator."""
    kept = [c for c in known if draw.random() >= getattr(dropout, c)]
    return frozenset(kept or [draw.choice(known)])


def kept_table(
    seed: int,
    epoch: int,
    ids: Sequence[str],
    has: Tensor,
    known: Sequence[Channel],
    dropout: ModalityDropout,
) -> Tensor:
    """The channels of each sample that are kept: bool [B, C].

    Args:
        seed: of the run.
        epoch: of the run.
        ids: of the samples.
        has: bool [B, C], which channels they have.
        known: the C channels.
        dropout: rates.
    """
    draws = torch.tensor([_draws(seed, epoch, name, len(known)) for name in ids])
    rates = torch.tensor([getattr(dropout, c) for c in known], dtype=draws.dtype)
    kept = has & (draws >= rates)
    # What was drawn where a channel goes is even from 0 to the channel's own rate.
    spared = torch.where(has, draws / rates.clamp(min=1e-12), -1.0).argmax(1)
    none = ~kept.any(1)
    kept[none, spared[none]] = True
    return kept


def _draws(seed: int, epoch: int, sample_id: str, count: int) -> list[float]:
    """Numbers in 0..1, one per channel."""
    digest = hashlib.sha256(f"{seed}/{epoch}/channels/{sample_id}".encode()).digest()
    parts = (digest[8 * k : 8 * k + 8] for k in range(count))
    return [int.from_bytes(part) / 2**64 for part in parts]
