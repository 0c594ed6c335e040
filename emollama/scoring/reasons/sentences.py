"""Sentences over a clip's measured clues: to learn from, and in place of a reason that is untrue.

A sentence names exactly the clues that were measured, so it is true of its clip as far as the
measures are, and ends in the label. It says nothing about a channel that is absent.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from emollama.scoring.reasons.voice_words import ORDINARY

_VOICE = (
    "The voice has {clues}.",
    "One hears {clues}.",
    "In the voice there is {clues}.",
)
_ORDINARY = ("The voice has an ordinary tone.", "Nothing in the voice stands out.")
_FACE = ("The {shows}.", "The picture shows that the {shows}.")
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
    "worry": "worried",
    "contempt": "contemptuous",
    "doubt": "doubtful",
}
_ARTICLES = {"flat melody": "a flat melody", "lively melody": "a lively melody",
             "quiet voice": "a quiet sound", "loud voice": "a loud sound",
             "soft timbre": "a soft timbre", "sharp timbre": "a sharp timbre"}  # fmt: skip
_NOUNS = {**_ARTICLES, "low pitch": "a low pitch", "high pitch": "a high pitch",
          "even loudness": "an even loudness", "changing loudness": "a changing loudness",
          ORDINARY: "an ordinary tone"}  # fmt: skip


def adjective(label: str) -> str:
    """A label as what a person is: "afraid" for "fear"."""
    return _ADJECTIVES.get(label, label)


def noun(words: str) -> str:
    """Words on a voice as a noun: "a high pitch"."""
    return _NOUNS.get(words, words)


def clue_reason(clues: Mapping[str, str], label: str, draw: random.Random) -> str | None:
    """A reason from clue words by channel, as `ClueWords.describe` gives them; None without any."""
    parts = []
    if voice := clues.get("voice"):
        parts.append(draw.choice(_ORDINARY) if voice == ORDINARY else _voice(voice, draw))
    if face := clues.get("face"):
        parts.append(draw.choice(_FACE).format(shows=_face_shows(face)))
    if content := clues.get("words"):
        parts.append(_told_of(content))
    if not parts:
        return None
    ending = draw.choice(_LABEL).format(label=label, adjective=adjective(label))
    return " ".join([*parts, ending])


def measured_reason(
    clues: Mapping[str, str], text: str | None, label: str, compared_with: str
) -> str | None:
    """What was measured, and the label of the scores; None where nothing was measured.

    Unlike `clue_reason` it does not claim that one follows from the other.

    Args:
        clues: words by channel, as `ClueWords.describe` gives them.
        text: what is said, where the answer uses the words.
        label: of the scores.
        compared_with: what the words on the voice are relative to.
    """
    parts = measured_sentences(clues, text, compared_with)
    return " ".join([*parts.values(), scores_sentence(label)]) if parts else None


def measured_sentences(
    clues: Mapping[str, str], text: str | None, compared_with: str
) -> dict[str, str]:
    """What was measured, by channel; arguments as of `measured_reason`."""
    parts = {}
    if voice := clues.get("voice"):
        words = voice.replace(";", ",").split(", ")
        parts["voice"] = f"Compared with {compared_with}, {_voice_told(words)}."
    if face := clues.get("face"):
        parts["face"] = f"The {_face_shows(face)}."
    if text:
        said = " ".join(text.replace('"', "'").split())
        stop = "" if said.endswith((".", "!", "?", "…", "。", "！", "？")) else "."
        parts["words"] = f'The person says: "{said}{stop}"'
        if content := clues.get("words"):
            parts["words"] += f" {_told_of(content)}"
    return parts


def scores_sentence(label: str) -> str:
    """What the scores say."""
    return f"The model's scores are highest for {label}."


def _voice_told(words: Sequence[str]) -> str:
    """Clauses over a voice: "the voice is loud, with a low pitch, and the speech is slow"."""
    words = _standing_out(words)
    if not words:
        return "nothing in the voice stands out"
    kinds: dict[str, list[str]] = {"voice": [], "speech": [], "pauses": []}
    rest = []
    for word in words:
        how, _, thing = word.rpartition(" ")
        if thing in kinds:
            kinds[thing].append(how)
        else:
            rest.append(noun(word))
    clauses = []
    if kinds["voice"]:
        more = f", with {listed(rest)}" if rest else ""
        clauses.append(f"the voice is {kinds['voice'][0]}{more}")
    elif rest:
        clauses.append(f"the voice has {listed(rest)}")
    pauses = f"{kinds['pauses'][0]} pauses" if kinds["pauses"] else ""
    if kinds["speech"]:
        more = f", with {pauses}" if pauses else ""
        clauses.append(f"the speech is {kinds['speech'][0]}{more}")
    elif pauses:
        clauses.append(f"there are {pauses}")
    return ", and ".join(clauses)


def _standing_out(words: Sequence[str]) -> list[str]:
    """Words on a voice without the one for a voice that is ordinary: clue heads may find both."""
    return [word for word in words if word != ORDINARY]


def _told_of(words: str) -> str:
    return f"The words tell of {listed(words.split(', '))}."


def _face_shows(words: str) -> str:
    if words.startswith("face "):
        return words.replace("face between", "face is between")
    return f"face shows {listed(words.replace(';', ',').split(', '))}"


def _voice(words: str, draw: random.Random) -> str:
    named = listed([_ARTICLES.get(word, word) for word in _standing_out(words.split(", "))])
    return draw.choice(_VOICE).format(clues=named)


def listed(parts: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
