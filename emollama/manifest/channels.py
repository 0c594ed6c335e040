"""The channels of a person: what is heard, what is seen, what is said."""

from __future__ import annotations

from typing import Literal

Channel = Literal["voice", "face", "words"]

CHANNELS: tuple[Channel, ...] = ("voice", "face", "words")


def says(channel: str) -> str:
    """The verb after a channel: the voice says, the words say."""
    return "say" if channel == "words" else "says"
