"""Tracks of clips, or why a clip has none: the same rule in extraction and before an answer.

Presence is decided outside the encoders' numbers. It is no part of their fingerprints, so features
made before the rule stay valid; `RULE` in the store's record tells which they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emollama.encoders.base import Encoder, FeatureTrack
from emollama.manifest.channels import Channel
from emollama.media.clip import Clip

RULE = 1
"""Raised whenever other clips would count as having a voice or a face."""

NO_SPEECH = "no speech was found in the sound"
NO_FACE = "no face was found in enough frames"
_MISSING = {"voice": "no sound track", "face": "no pictures", "words": "no words"}


@dataclass(frozen=True)
class Absent:
    """A clip without a channel, and why."""

    reason: str


def is_judged(encoder: Encoder) -> bool:
    """Whether the rule concerns an encoder: each of the voice, and those that look for faces."""
    return encoder.channel == "voice" or getattr(encoder, "finds_faces", False)


def encode(encoder: Encoder, clips: Sequence[Clip]) -> list[FeatureTrack | Absent]:
    """One track per clip, or why it has none; where nobody speaks no encoder hears the sound."""
    mute = [encoder.channel == "voice" and clip.spoken is False for clip in clips]
    heard = [clip for clip, silent in zip(clips, mute, strict=True) if not silent]
    tracks = iter(encoder.encode(heard) if heard else [])
    return [
        Absent(NO_SPEECH)
        if silent
        else next(tracks) or Absent(why_absent(encoder.channel, clip))
        for clip, silent in zip(clips, mute, strict=True)
    ]  # fmt: skip


def why_absent(channel: Channel, clip: Clip) -> str:
    """Why a clip has no track of a channel."""
    if channel == "voice" and clip.audio is not None:
        return NO_SPEECH
    if channel == "face" and clip.frames is not None and len(clip.frames.images):
        return NO_FACE
    return _MISSING[channel]


def note(channel: str, reason: str | None) -> str:
    """The remark about an absent channel for the reader of an answer."""
    if reason is None or reason == _MISSING.get(channel, reason):
        return f"no {channel} in this clip"
    # Of what is said, but not known, the reason tells all.
    return reason if channel == "words" else f"{reason}: the {channel} is not used"
