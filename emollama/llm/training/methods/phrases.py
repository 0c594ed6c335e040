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
_DENIALS = frozenset({"no", "not", "without", "never", "neither", "nor", "hardly", "cannot"})
"""Words by which a phrase may stand for its absence."""


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
    return [CLUES[phrase] for phrase in phrases_in(text)]


def phrases_in(text: str) -> list[Phrase]:
    """The phrases of the vocabulary in a text, in its order."""
    words = words_of(text)
    found: list[Phrase] = []
    place = 0
    while place < len(words):
        for length in range(_LONGEST, 0, -1):
            phrase = tuple(words[place : place + length])
            if phrase in CLUES:
                found.append(phrase)
                place += length
                break
        else:
            place += 1
    return found


def affirmed(text: str) -> str:
    """A text without its clauses, between full stops, colons and semicolons, that deny anything."""
    clauses = re.split(r"(?<=[.:;!?])\s+", text)
    return " ".join(clause for clause in clauses if not _denies(clause))


def _denies(clause: str) -> bool:
    return any(word in _DENIALS or word.endswith("n't") for word in words_of(clause))


def concluded(text: str, labels: Mapping[str, str]) -> str | None:
    """The label that the last sentence names; None for none, for several, or a denied one.

    Args:
        text: the reason.
        labels: word to label.
    """
    last = affirmed(re.split(r"[.!?]\s+", text.strip())[-1])
    found = {labels[word] for word in words_of(last) if word in labels}
    return found.pop() if len(found) == 1 else None
