"""Channels that are left out in training: how often, and what stays where all were drawn."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from emollama.fusion.batch import FusionBatch
from emollama.fusion.training.dealing import Dealer
from emollama.inputs.config import ModalityDropout
from emollama.inputs.dropping import _draws

CHANNELS: dict[str, Any] = {"face": "face", "voice": "voice", "words": "words"}
CLIPS = 6000


class Data:
    """What of a split is dealt out."""

    def __init__(self, whole: FusionBatch) -> None:
        self.whole = whole
        self.ids = list(whole.ids)

    def __len__(self) -> int:
        return len(self.ids)

    def batch(self, rows: list[int]) -> FusionBatch:
        assert len(rows) == len(self)
        return self.whole


def dealing(absent: tuple[str, ...] = (), **rates: float) -> Dealer:
    """A dealer of clips that all have the channels but those that are absent."""
    ids = tuple(f"clip-{i}" for i in range(CLIPS))
    valid = {c: torch.full((CLIPS, 1), c not in absent) for c in CHANNELS}
    values = dict.fromkeys(CHANNELS, torch.zeros(CLIPS, 1, 1))
    data: Any = Data(
        FusionBatch(ids, values, valid, dict.fromkeys(CHANNELS, torch.zeros(CLIPS, 1)))
    )
    return Dealer(data, CLIPS, ModalityDropout(**rates), 7, CHANNELS)


def kept(dealer: Dealer) -> torch.Tensor:
    """Bool [CLIPS, 3]: which channels, in alphabetical order, stay in an epoch."""
    found = dealer.batch(0, 0)[0].valid
    return torch.cat([found[c] for c in CHANNELS], dim=1)


def test_channels_are_left_out_as_often_as_asked() -> None:
    left_out = 1 - kept(dealing(voice=0.1, face=0.3)).double().mean(0)
    assert left_out.tolist() == pytest.approx([0.3, 0.1, 0.0], abs=0.02)


@pytest.mark.parametrize("absent", [(), ("words",)])
def test_where_all_were_drawn_each_is_as_likely_to_stay(absent: tuple[str, ...]) -> None:
    """As in the language model's questions, whatever the channels' own rates."""
    stay = kept(dealing(absent, face=1.0, voice=0.5, words=1.0))
    none_left = stay.sum(1) == 1
    # Half of the clips keep the voice by its own draw; of the others each channel has its share.
    voice, others = stay[none_left][:, 1].sum(), stay[none_left].sum(0)
    by_draw = CLIPS / 2
    shares = (others.double() - torch.tensor([0, by_draw, 0])) / (CLIPS - by_draw)
    fair = 1 / (3 - len(absent))
    expected = [0.0 if c in absent else fair for c in CHANNELS]
    assert voice > by_draw and shares.tolist() == pytest.approx(expected, abs=0.03)


def test_with_equal_rates_the_channel_of_the_highest_draw_stays() -> None:
    """As it was when the committed results were made, whose configurations have equal rates."""
    dealer = dealing(face=0.6, voice=0.6, words=0.6)
    draws = torch.tensor([_draws(dealer.seed, 0, f"clip-{i}", 3) for i in range(CLIPS)])
    expected = draws >= 0.6
    none = ~expected.any(1)
    expected[none, draws.argmax(1)[none]] = True
    assert none.sum() > 1000
    order = dealer.batch(0, 0)[0].ids
    assert order == tuple(f"clip-{i}" for i in range(CLIPS))
    assert torch.equal(kept(dealer), expected)
