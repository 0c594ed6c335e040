"""Measured clues as words: signs of the face, words on the voice, lists of both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from emollama.llm.clues import THRESHOLD, VOICE_RULES
from emollama.merr.measure.names import EXPRESSION_PREFIX
from emollama.merr.rules import Rules
from emollama.merr.tables import read_table

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


def voice_words(relative: Mapping[str, float]) -> list[str]:
    """Words for prosody columns that deviate by more than `clues.THRESHOLD`."""
    words = []
    for rule in VOICE_RULES:
        value = relative.get(rule.column, 0.0)
        if abs(value) > THRESHOLD:
            words.append(rule.low if value < 0 else rule.high)
    return words


def listed(parts: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def with_article(words: Sequence[str]) -> str:
    """Voice words as a noun phrase: "a high pitch and fast speech"."""
    return listed([w if w.endswith("speech") else f"a {w}" for w in words])
