"""Reference reasons: a description of the rendered clip in 35 to 60 words of the closed vocabulary.

A reason names the clues of each channel, what each channel points to, which channels agree, and
ends in the intended label. Clues come from the rendered units and prosody, never from the emotion's
prototype, so a reason is true of its clip.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from emollama.probe.vocabulary import PHRASES, face_clues, voice_clues

MINIMUM_WORDS, MAXIMUM_WORDS = 35, 60
_CLUES_A_CHANNEL = (3, 2)  # the second where the first makes the reason too long

_FACE = (
    "The face shows {clues} and looks {emotion}.",
    "One sees {clues}: the face looks {emotion}.",
    "The face, with {clues}, looks {emotion}.",
)
_VOICE = (
    "The voice has {clues} and sounds {emotion}.",
    "One hears {clues}: the voice sounds {emotion}.",
    "The voice, with {clues}, sounds {emotion}.",
)
_WORDS = (
    "The words tell of {clues} and are {emotion} in content.",
    "What is said is about {clues}: the words are {emotion}.",
    "The sentence tells of {clues}, so the words are {emotion}.",
)
_ALL_AGREE = (
    "Face, voice and words all agree, so the emotion is {label}.",
    "All three channels point the same way, so the emotion is {label}.",
)
_SOME_AGREE = (
    "The {agree} {count} more than the {differ}, so the emotion is {label}.",
    "The {differ} {say} otherwise, but going by the {agree} the emotion is {label}.",
)
_NONE_AGREE = (
    "The channels contradict each other; taken together the emotion is most likely {label}.",
    "No channel settles it alone; on the whole the emotion is most likely {label}.",
)
_FILLERS = (
    "These signs appear together during the short clip.",
    "Little else stands out in this short clip.",
)
_ADJECTIVES = {"surprise": "surprised"}


def reference_reason(truth: Mapping[str, Any], label: str, key: Sequence[int]) -> str:
    """The reference reason of a clip: a pure function of its truth, label and random key."""
    for clues in _CLUES_A_CHANNEL:
        text = _compose(truth, label, np.random.default_rng(tuple(key)), clues)
        if len(text.split()) <= MAXIMUM_WORDS:
            break
    return text


def _compose(
    truth: Mapping[str, Any], label: str, generator: np.random.Generator, clues: int
) -> str:
    def pick(templates: Sequence[str]) -> str:
        return templates[int(generator.integers(len(templates)))]

    named = {
        "face": (_FACE, _listed(face_clues(truth["face_units"])[:clues])),
        "voice": (_VOICE, _listed(voice_clues(truth["prosody"])[:clues])),
        "words": (_WORDS, PHRASES[f"words={truth['words']}"]),
    }
    told = [
        pick(templates).format(
            clues=phrases, emotion=_ADJECTIVES.get(truth[channel], truth[channel])
        )
        for channel, (templates, phrases) in named.items()
    ]
    told = [told[i] for i in generator.permutation(len(told))]
    filler = pick(_FILLERS)
    verdict = _verdict(truth, label, pick)
    text = " ".join([*told, verdict])
    return text if len(text.split()) >= MINIMUM_WORDS else " ".join([*told, filler, verdict])


def _verdict(truth: Mapping[str, Any], label: str, pick: Callable[[Sequence[str]], str]) -> str:
    """A sentence on which channels agree with the label, ending in the label."""
    agree = [name for name in ("face", "voice", "words") if truth[name] == label]
    differ = [name for name in ("face", "voice", "words") if truth[name] != label]
    if not differ:
        return pick(_ALL_AGREE).format(label=label)
    if not agree:
        return pick(_NONE_AGREE).format(label=label)
    return pick(_SOME_AGREE).format(
        agree=" and ".join(agree),
        count="counts" if agree in (["face"], ["voice"]) else "count",
        differ=" and ".join(differ),
        say="says" if differ in (["face"], ["voice"]) else "say",
        label=label,
    )


def _listed(clues: Sequence[str]) -> str:
    """The strongest clues as phrases: "raised cheeks, a dropped jaw and stretched lips"."""
    phrases = [PHRASES[clue] for clue in clues]
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"
