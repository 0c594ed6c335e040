"""The closed vocabulary of clues that a reference reason may name.

A clue is an action unit (Ekman & Friesen's Facial Action Coding System), a level of one prosody
dimension, or what kind of sentence was spoken. Each has exactly one phrase, so that a scorer can
find the clues in any text and compare them with what was rendered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from emollama.manifest.channels import Channel

UNIT_THRESHOLD = 0.35
"""Apex intensity in 0..1 from which an action unit is visible and may be named."""

PROSODY_THRESHOLDS: dict[str, float] = {
    "pitch": 2.0,  # semitones above or below the voice's neutral
    "rate": 0.09,  # fraction of the neutral words a minute
    "loudness": 2.5,  # decibels
    "range": 0.3,  # fraction of the neutral melody range
}

PROSODY_LEVELS: dict[str, tuple[str, str, str]] = {
    "pitch": ("low", "normal", "high"),
    "rate": ("slow", "normal", "fast"),
    "loudness": ("quiet", "normal", "loud"),
    "range": ("narrow", "normal", "wide"),
}

PHRASES: dict[str, str] = {
    "AU1": "raised inner brows",
    "AU2": "raised outer brows",
    "AU4": "brows drawn together",
    "AU5": "wide open eyes",
    "AU6": "raised cheeks",
    "AU7": "tightened eyelids",
    "AU9": "a wrinkled nose",
    "AU12": "lip corners pulled up",
    "AU15": "lip corners pulled down",
    "AU17": "a raised chin",
    "AU20": "stretched lips",
    "AU23": "tightly pressed lips",
    "AU26": "a dropped jaw",
    "face=still": "relaxed features",
    "pitch=high": "a high pitch",
    "pitch=low": "a low pitch",
    "rate=fast": "fast speech",
    "rate=slow": "slow speech",
    "loudness=loud": "a loud voice",
    "loudness=quiet": "a quiet voice",
    "range=wide": "a lively melody",
    "range=narrow": "a flat melody",
    "voice=even": "an ordinary tone",
    "words=neutral": "a plain fact",
    "words=angry": "an accusation",
    "words=happy": "good news",
    "words=sad": "a painful loss",
    "words=worried": "a possible danger",
    "words=surprise": "something unexpected",
}
"""Clue to phrase."""


def level(dimension: str, deviation: float) -> str:
    """The word for a deviation from the voice's own neutral, in the dimension's unit."""
    low, normal, high = PROSODY_LEVELS[dimension]
    threshold = PROSODY_THRESHOLDS[dimension]
    return high if deviation >= threshold else low if deviation <= -threshold else normal


def without_article(phrase: str) -> str:
    """ "high pitch" of "a high pitch"."""
    return re.sub("^an? ", "", phrase)


def channel_of(clue: str) -> Channel:
    """The channel of an action unit, "face=still", "words=sad" or a measure of the voice."""
    kind = clue.partition("=")[0]
    return "words" if kind == "words" else "face" if kind == "face" or "=" not in clue else "voice"


def clues_in(text: str) -> set[str]:
    """The clues that `text` names, whatever its case, articles and spacing."""
    flat = " ".join(text.lower().split())
    return {
        clue
        for clue, phrase in PHRASES.items()
        if re.search(rf"(?<![\w-]){re.escape(without_article(phrase))}(?![\w-])", flat)
    }


def face_clues(units: Mapping[str, float]) -> list[str]:
    """Units drawn strongly enough to be visible, strongest first; a still face is one clue."""
    seen = [unit for unit, value in units.items() if value >= UNIT_THRESHOLD]
    return sorted(seen, key=lambda unit: -units[unit]) or ["face=still"]


def voice_clues(prosody: Mapping[str, str]) -> list[str]:
    """Prosody dimensions that deviate from the voice's neutral; an ordinary voice is one clue."""
    heard = [f"{name}={word}" for name, word in prosody.items() if word != "normal"]
    return heard or ["voice=even"]


def rendered_clues(truth: Mapping[str, Any]) -> set[str]:
    """The true clues of a clip, from `Sample.truth` as the probe corpus writes it."""
    return {
        *face_clues(truth["face_units"]),
        *voice_clues(truth["prosody"]),
        f"words={truth['words']}",
    }
