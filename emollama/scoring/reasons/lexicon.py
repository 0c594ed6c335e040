"""The clues that a text names: of the voice and the face, affirmed or denied.

A clue of the voice goes by the words of the measure ("high pitch"), one of the face by its action
unit ("AU12"). Quotations are of what was said, and name no clue.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from emollama.manifest.action_units import unit_mentions
from emollama.scoring.predictions.denial import denials, without_harmless
from emollama.scoring.reasons.voice_words import FEWER, NOT, OPPOSITE, PATTERNS

QUOTE = re.compile(r"[\"“]([^\"“”]{3,})[\"”]")
_SUPPOSED = re.compile(
    r"\bwhether\b|(?<!\bas )(?<!\beven )\bif\b"
    r"|\bwould(?:n't)?\b(?! (?:(?:not|even|also|\w+ly) )?(?:say|call|describe|guess|seem|appear"
    r"|suggest|argue|conclude|rate|judge|add|explain)\b)"
)
"""What leaves open whether something is so; "I would say" and "it would seem" only soften it, and
what would explain something takes it as given."""
_COMPARED = re.compile(r"\b(?:than|as) (?:\w+ ){0,2}would\b")
"""What is so is only compared with what would be: "louder than one would expect"."""
_ASKED_TO = re.compile(
    r"[,.;:!?()\n]|\b(?:but|yet|while|whereas|because|although|(?<!as )(?<!even )though)\b"
)
"""Where what is left open ends."""
_AFTER = re.compile(
    r"(?:(?:(?!\band\b)[^,.;:!?]){0,24}?\b(?:is|are|was|were|remains?)"
    r" (?:(?!not|never)\w+ )?(?:absent|missing)\b"
    r"|[^.;:!?]{0,24}?\bbut (?:there (?:is|are|was|were) none\b"
    r"|(?:he |she |they )?(?:fails?|failed|cannot)(?: to)?\s*(?:[,.;:!?]|$)))"
)
"""What denies after the clue that it denies."""
_NEXT = re.compile(r",? (?:(?:or|nor) )?(?:(?:an?|any|his|her|the) )?(?:(?!but|and|yet)\w+ )?")
_OR = re.compile(r"\bn?or\b")
"""What joins a clue to the one before it in a list; and that of a list of what is denied."""
_INSIDE = re.compile(rf"\b{NOT}\b")
_FREELY_DENIED = frozenset({"few pauses", "flat melody", "quiet voice"})
"""Whose own words deny: "hardly any pauses", "without melody", "barely audible"."""


@dataclass(frozen=True)
class Clue:
    """A clue that a text names.

    Attributes:
        channel: "voice" or "face".
        name: the words of a measure of the voice, or an action unit.
        denied: whether the text says that it is not so.
        start, end: place in the text of `plain`.
    """

    channel: Literal["voice", "face"]
    name: str
    denied: bool
    start: int
    end: int


def plain(text: str) -> str:
    """A text in lower case without quotations and without denials that deny nothing."""
    flat = QUOTE.sub(" ", text).lower().translate(str.maketrans("’‘", "''"))
    return without_harmless(flat)


def clues_in(text: str) -> list[Clue]:
    """The clues of a text in their order."""
    flat = plain(text)
    found = {c for c in (*_voice(flat), *_face(flat)) if not _left_open(flat, c)}
    ordered = sorted(found, key=lambda clue: (clue.start, clue.end, clue.name))
    return _denied_together(flat, ordered)


def _denied_together(flat: str, clues: list[Clue]) -> list[Clue]:
    """The clues, where "no A, B or C" denies all; of "no A, B and C" nothing is known but A."""
    found = list(clues)
    row: list[int] = []  # from a denied clue on, those that a comma or "or" joins to it
    end = 0
    for place, clue in enumerate(clues):
        between = flat[end : clue.start]
        if not row or not (clue.start < end or _NEXT.fullmatch(between)):
            row = []
        if row and _OR.search(between):
            for member in (*row, place):
                found[member] = replace(clues[member], denied=True)
        if row or clue.denied:
            row.append(place)
        end = max(end, clue.end)
    return found


def _voice(flat: str) -> Iterator[Clue]:
    for name, pattern in PATTERNS.items():
        for match in pattern.finditer(flat):
            start, end = match.span()
            before = flat[max(0, start - 24) : start]
            fewer = re.search(r"\bless(?: \w+)?\s*$", before) or re.search(r"\bless\b", match[0])
            own = name in _FREELY_DENIED and _INSIDE.match(match[0])
            if fewer and name in OPPOSITE:
                yield Clue("voice", OPPOSITE[name], False, start, end)
            elif FEWER.search(match[0]) and not own:
                yield Clue("voice", name, True, start, end)
            else:
                yield Clue("voice", name, not own and _denied(flat, start, end), start, end)


def _face(flat: str) -> Iterator[Clue]:
    for unit, start, end in unit_mentions(flat):
        yield Clue("face", unit, _denied(flat, start, end), start, end)


def _left_open(flat: str, clue: Clue) -> bool:
    """Whether a text asks whether a clue is there, or says what would be, and not what is.

    "One would expect a smile, but there is none" does say it.
    """
    clause = _COMPARED.sub(" ", _ASKED_TO.split(flat[: clue.start])[-1])
    return bool(_SUPPOSED.search(clause)) and not _AFTER.match(flat, clue.end)


def _denied(flat: str, start: int, end: int) -> bool:
    """Whether a phrase is denied: before it, between its own words, or after it."""
    if _INSIDE.search(flat[start:end]) or _AFTER.match(flat, end):
        return True
    return denials(flat, [(start, end)])[0]
