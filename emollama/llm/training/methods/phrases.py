"""The reward's own reader: the clues and the conclusion of a reason in closed vocabulary.

It knows whole phrases and nothing else, so that what is rewarded is not what the scorer's parser
happens to find. Text is read word by word, and the longest phrase that begins at a word counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from emollama.llm.clues import MORE_VOICE_RULES
from emollama.probe.vocabulary import PHRASES

Phrase = tuple[str, ...]

_ARTICLES = ("a", "an")
DENIALS = frozenset({"no", "not", "without", "never", "neither", "nor", "hardly"})
"""Words by which a phrase may stand for its absence; a reason in closed vocabulary has none."""


def words_of(text: str) -> list[str]:
    """The words of a text in lower case."""
    return re.findall(r"[a-z']+", text.lower())


def _phrase(text: str) -> Phrase:
    words = words_of(text)
    return tuple(words[1:] if words[0] in _ARTICLES else words)


def _vocabulary() -> dict[Phrase, str]:
    """Phrase to clue: those of the probe corpus, and the words of measured clues."""
    known = {_phrase(text): clue for clue, text in PHRASES.items()}
    for rule in MORE_VOICE_RULES:
        for word in (rule.low, rule.high):
            clue = known.setdefault(_phrase(word), word)
            if word.endswith(" voice"):  # "a quiet sound" beside "the voice"
                known[_phrase(f"{word.removesuffix(' voice')} sound")] = clue
    return known


CLUES: Mapping[Phrase, str] = _vocabulary()
_LONGEST = max(map(len, CLUES))


def clues_named(text: str) -> list[str]:
    """The clues that a text names, in its order; one that is named twice stands twice."""
    words = words_of(text)
    found, place = [], 0
    while place < len(words):
        for length in range(_LONGEST, 0, -1):
            clue = CLUES.get(tuple(words[place : place + length]))
            if clue is not None:
                found.append(clue)
                place += length
                break
        else:
            place += 1
    return found


def concluded(text: str, labels: Mapping[str, str]) -> str | None:
    """The label that the last sentence names; None for none, or several.

    Args:
        text: the reason.
        labels: word to label.
    """
    last = re.split(r"[.!?]\s+", text.strip())[-1]
    found = {labels[word] for word in words_of(last) if word in labels}
    return found.pop() if len(found) == 1 else None


def denies(text: str) -> bool:
    """Whether a text holds a word by which a phrase may stand for its absence."""
    return not DENIALS.isdisjoint(words_of(text))
