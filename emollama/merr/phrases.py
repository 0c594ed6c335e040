"""Measured clues as words: signs of the face, words on the voice, lists of both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from emollama.llm.clues import MORE_VOICE_RULES, voice_words
from emollama.merr.measure.names import EXPRESSION_PREFIX
from emollama.merr.rules import Rules
from emollama.merr.tables import read_table
from emollama.scoring.reasons.sentences import listed, noun

MOST_SIGNS = 4


def sign_phrase(sign: str) -> str:
    """A sign in prose; a unit without a phrase keeps its code."""
    table = read_table("phrases")
    if sign.startswith(EXPRESSION_PREFIX):
        name = sign.removeprefix(EXPRESSION_PREFIX)
        return str(table["expression"]).format(name=name)
    return str(table["signs"].get(sign, sign))


def signs_in_words(signs: Iterable[str], intensities: Mapping[str, float], rules: Rules) -> str:
    """The strongest signs with their intensity: "raised cheeks (strongly) and a dropped jaw"."""
    named = []
    for sign in list(signs)[:MOST_SIGNS]:
        word = "" if sign.startswith(EXPRESSION_PREFIX) else rules.word(intensities.get(sign, 0.0))
        named.append(sign_phrase(sign) + (f" ({word})" if word else ""))
    return listed(named) if named else str(read_table("phrases")["still"])


def tone_words(relative: Mapping[str, float]) -> list[str]:
    """Words for the prosody of a voice: those of `emollama predict`."""
    return voice_words(relative, MORE_VOICE_RULES)


def with_article(words: Sequence[str]) -> str:
    """Voice words as a noun phrase: "a high pitch and fast speech"."""
    return listed([noun(word) for word in words])
