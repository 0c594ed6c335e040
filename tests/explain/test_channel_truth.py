"""Weight against each channel's own emotion."""

from __future__ import annotations

from typing import Any

import pytest

from emollama.explain.channel_truth import Weighed, agreement

CHANNELS: Any = {"voice": "voice", "face": "face", "words": "words"}


def clip(best: str, *shown: str) -> Weighed:
    """The modality that weighs most, and the emotions of voice, face and words."""
    values = {n: float(n == best) for n in CHANNELS}
    return Weighed("sad", values, CHANNELS, dict(zip(CHANNELS, shown, strict=True)))


def test_hits_and_chance_are_of_clips_that_can_tell() -> None:
    clips = [
        clip("voice", "sad", "happy", "happy"),
        clip("voice", "sad", "happy", "angry"),
        clip("face", "sad", "happy", "sad"),
        clip("words", "happy", "happy", "sad"),
        clip("voice", "sad", "sad", "sad"),  # all show it
        clip("voice", "happy", "happy", "angry"),  # none does
        Weighed("sad", {"voice": 1.0, "face": 0.0}, CHANNELS, {"voice": "sad"}),  # face unknown
    ]
    found = agreement(clips)
    assert found is not None and found.difference.n == 4
    assert found.hits.value == pytest.approx(3 / 4)
    assert found.chance.value == pytest.approx((1 / 3 + 1 / 3 + 2 / 3 + 1 / 3) / 4)
    assert found.by_channel == {"voice": (2, 1.0), "words": (1, 1.0)}
    assert agreement(clips[4:]) is None
    blind = agreement([clip(best, "sad", "happy", "angry") for best in CHANNELS] * 10)
    assert blind is not None and "not shown to beat chance" in blind.line()
