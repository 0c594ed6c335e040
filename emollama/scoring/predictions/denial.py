"""What English says of an emotion only to deny it: "not happy", "far from happy".

A rule of words, not a grammar. Where it is wrong it should be wrong towards denying: an answer
that names no label is counted as such, one that is given a label it denies is not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

REACH = 3
"""Words between a denial and the label that it denies: "not at all very happy"."""

_LONGEST = 500
"""Characters of a clause before a label that are looked at: a model may repeat a word for ever."""

_NOT = (
    r"(?:not|never|neither|nor|without|hardly|barely|cannot|nobody|unable to|\w+n't|"
    r"(?:do|does|did|is|was|are|were|ca|wo|would|could|should)nt)"
)
_NEGATION = re.compile(rf"(?:{_NOT}|no|non|rather than|instead of)")
_HIDE = r"(?:hid|conceal|suppress|mask|disguis|deny|denied|help)(?:e|es|ing|ed|den)?"
_HARMLESS = re.compile(
    r"\b(?:no doubt|without (?:a |any )?doubt|not (?:only|just|merely|simply)|no less"
    rf"|{_NOT} (?:\w+ ){{0,2}}(?:anything|nothing|other) (?:but|than)"
    rf"|(?:{_NOT}|fail(?:s|ed|ing)? to) (?:\w+ )?{_HIDE})\b"
)
"""Denials that deny no emotion. What is certain is said in words that deny doubt, not in doubt;
and what cannot be hidden is there."""

_PHRASE = re.compile(
    r"\b(?:anything but|far from|fail(?:s|ed|ing)? to|lack(?:s|ed|ing)?(?: of)?|free (?:of|from)"
    r"|absence of|devoid of|(?:the )?opposite of|as opposed to|other than|rul(?:es?|ed|ing) out)\b"
)
"""What denies in other words than "not"; it reaches as far."""

_THINK = (
    r"(?:think|believ|seem|appear|look|sound|feel|felt|show|express|convey|display|exhibit"
    r"|indicat|suggest|impl[yi]|mean|say|said|suppos|expect|assum|consider|describ|find|see|hear"
    r"|detect|perceiv|notic|sens|know|sure|certain|convinc|come)\w*"
)
_SIGN = r"(?:evidence|signs?|indications?|traces?|hints?|suggestions?|proof)"
_DISTANT = re.compile(
    rf"\b(?:{_NOT} (?:\w+ ){{0,2}}{_THINK}|(?:no|without|little) (?:\w+ )?{_SIGN}"
    rf"|nothing (?:\w+ )?{_THINK})\b"
)
"""A denied verb or sign takes along what it is of, to the end of the clause."""

_CLAUSE = re.compile(
    r"[.,;:!?()\n]"
    r"|\b(?:(?<!anything )but|however|although|though|because|while|whereas|instead(?! of))\b"
    r"|\band (?=(?:is|are|was|were|seems?|looks?|sounds?|appears?|feels?|he|she|they|it|i|the"
    r"|this|there|rather|therefore|thus|so|then)\b)"
)
"""Where the reach of a denial ends."""

_JOINED = re.compile(r"\s*(?:/|\b(?:and|or|nor)\b)\s*")
"""Between two labels of one list, which are denied together."""


def without_harmless(text: str) -> str:
    """`text`, in lower case, without denials that deny nothing and with single blanks.

    Line breaks stay, for a clause ends there.
    """
    plain = re.sub(r"\s+", lambda m: "\n" if "\n" in m[0] else " ", text)
    return _HARMLESS.sub(" ", plain)


def denials(text: str, spans: Sequence[tuple[int, int]]) -> list[bool]:
    """Whether each span of `text`, which are in order and do not overlap, is denied.

    A denial lies before its label and in the same clause: "not", "no", "never", "without",
    "rather than" and their like, and phrases such as "far from", at most `REACH` words away; "does
    not seem", "don't think", "no sign of" and their like at any distance. Punctuation inside a
    span ends no clause. Of two spans joined by "and" or "or", the second is denied with the first.
    """
    found: list[bool] = []
    begin = last = 0
    for start, end in spans:
        # From the last span on: what is inside one is no clause's end.
        broken = [m.end() for m in _CLAUSE.finditer(text, last, start)]
        begin = broken[-1] if broken else begin
        joined = bool(found) and found[-1] and not broken and _JOINED.fullmatch(text, last, start)
        found.append(bool(joined) or _is_denied(text[max(begin, start - _LONGEST) : start]))
        last = end
    return found


def _is_denied(before: str) -> bool:
    if _DISTANT.search(before):
        return True
    if any(len(_words(before[m.end() :])) <= REACH for m in _PHRASE.finditer(before)):
        return True
    near = _words(before)[-(REACH + 1) :]
    pairs = [" ".join(p) for p in pairwise(near)]
    return any(_NEGATION.fullmatch(w) for w in (*near, *pairs))


def _words(text: str) -> list[str]:
    return [w for w in (w.strip("'") for w in re.findall(r"[\w']+", text)) if w]
