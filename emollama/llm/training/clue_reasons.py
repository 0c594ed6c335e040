"""Reasons to learn from where a corpus has none: sentences over the clip's measured clues.

A sentence names exactly the clues that stand in the prompt, so it is true of its clip as far as the
measures are, and ends in the label. It says nothing about a channel that is absent.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

_VOICE = (
    "The voice has {clues}.",
    "One hears {clues}.",
    "In the voice there is {clues}.",
)
_ORDINARY = ("The voice has an ordinary tone.", "Nothing in the voice stands out.")
_FACE = ("The {clues}.", "The picture shows that the {clues}.")
_LABEL = (
    "This points to {label}.",
    "Taken together, the emotion is most likely {label}.",
    "So the person seems {adjective}.",
)
_ADJECTIVES = {
    "fear": "afraid",
    "disgust": "disgusted",
    "surprise": "surprised",
    "anger": "angry",
    "joy": "happy",
    "sadness": "sad",
}
_ARTICLES = {"flat melody": "a flat melody", "lively melody": "a lively melody",
             "quiet voice": "a quiet sound", "loud voice": "a loud sound",
             "soft timbre": "a soft timbre", "sharp timbre": "a sharp timbre"}  # fmt: skip
ORDINARY = "ordinary tone"


def clue_reason(clues: Mapping[str, str], label: str, draw: random.Random) -> str | None:
    """A reason from clue words by channel, as `ClueWords.describe` gives them; None without any."""
    parts = []
    if voice := clues.get("voice"):
        parts.append(draw.choice(_ORDINARY) if voice == ORDINARY else _voice(voice, draw))
    if face := clues.get("face"):
        parts.append(draw.choice(_FACE).format(clues=face))
    if not parts:
        return None
    ending = draw.choice(_LABEL).format(label=label, adjective=_ADJECTIVES.get(label, label))
    return " ".join([*parts, ending])


def _voice(words: str, draw: random.Random) -> str:
    named = [_ARTICLES.get(word, word) for word in words.split(", ")]
    listed = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
    return draw.choice(_VOICE).format(clues=listed)
