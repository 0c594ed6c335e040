"""Checks that a reason agrees with the measurements and concludes its label.

The checks need no model: named action units against measured ones, words on the voice against the
prosody, quotations against the transcript, the concluded emotion against the label, the presence of
any clue, and repetition.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from emollama.manifest.action_units import units_in
from emollama.manifest.labels import LabelSet
from emollama.merr.tables import read_table

LEAST_WORDS = 8
_LEAST_PRECISION = 0.5  # of the units that a reason names, so many must have been measured
_LEAST_QUOTED = 0.7  # of a quotation's words, so many must have been said
_LEAST_DISTINCT = 0.6  # of a reason's triples of words, so many must be different
_LONG_WORD, _LEAST_SHARED = 4, 2  # letters; long words of what was said that a reason must hold
_QUOTE = re.compile(r"[\"“]([^\"“”]{3,})[\"”]")
_BROWS = frozenset({"AU01", "AU02"})  # raised brows, told without inner or outer, name both
_OPEN_MOUTH = frozenset({"AU25", "AU26"})


@dataclass(frozen=True)
class Evidence:
    """The facts about a clip for checking its reason.

    Attributes:
        units: action units measured in the clip or at its peak; None if units were not measured.
        tone: words on the voice.
        text: transcript.
        label: the emotion that the reason explains.
    """

    units: frozenset[str] | None
    tone: tuple[str, ...]
    text: str
    label: str


def named_units(reason: str) -> frozenset[str]:
    """Units that a text names outside quotations."""
    return frozenset(units_in(_QUOTE.sub(" ", reason)))


def supported(named: Collection[str], measured: Collection[str]) -> set[str]:
    """Named units that were measured; where prose cannot distinguish two units, either counts."""
    found = {u for u in named if u in measured}
    for pair in (_BROWS, _OPEN_MOUTH):
        if pair & set(measured):
            found |= pair & set(named)
    return found


def tone_words_in(reason: str) -> set[str]:
    """The voice words of `tables/phrases.yaml` that a text names, in either order of the words."""
    flat = " ".join(_QUOTE.sub(" ", reason).lower().split())
    found = set()
    for pair in read_table("phrases")["opposites"]:
        for phrase in pair:
            quality, thing = phrase.split()
            if re.search(rf"\b(?:{quality} {thing}|{thing} (?:is|was|sounds) {quality})\b", flat):
                found.add(phrase)
    return found


def quotes_in(reason: str) -> list[str]:
    """Quotations of two words or more in a text."""
    return [q for q in _QUOTE.findall(reason) if len(q.split()) >= 2]


def quoted_share(quote: str, said: str) -> float:
    """Share of a quotation's words that are in the transcript."""
    words = re.findall(r"[\w']+", quote.lower())
    heard = set(re.findall(r"[\w']+", said.lower()))
    return sum(w in heard for w in words) / len(words) if words else 1.0


def labels_in(reason: str, labels: LabelSet) -> list[str]:
    """Labels that a text names, by word or synonym, in order."""
    flat = _QUOTE.sub(" ", reason).lower()
    places = []
    for word in (*labels.labels, *labels.synonyms):
        for match in re.finditer(rf"\b{re.escape(word.lower())}\b", flat):
            places.append((match.start(), labels.canonical(word) or word))
    return [label for _, label in sorted(places)]


def contradictions(reason: str, known: Evidence, labels: LabelSet) -> list[str]:
    """All faults of a reason, each in a few words; [] if there are none."""
    found = []
    words = re.findall(r"[\w']+", reason.lower())
    if len(words) < LEAST_WORDS:
        found.append("too short")
    triples = list(zip(words, words[1:], words[2:], strict=False))
    if triples and len(set(triples)) / len(triples) < _LEAST_DISTINCT:
        found.append("repeats itself")
    named = named_units(reason)
    measured = known.units or frozenset()
    if named and len(supported(named, measured)) / len(named) < _LEAST_PRECISION:
        found.append("names units that were not measured")
    if not _grounded(reason, named, known):
        found.append("names no measured clue")
    if _opposed(tone_words_in(reason), known.tone):
        found.append("says the opposite of the voice")
    if any(quoted_share(q, known.text) < _LEAST_QUOTED for q in quotes_in(reason)):
        found.append("quotes what was not said")
    concluded = labels_in(reason, labels)
    if not concluded:
        found.append("names no emotion")
    elif known.label not in concluded:
        found.append("names another emotion")
    elif concluded[-1] != known.label and concluded[0] != known.label:
        found.append("concludes another emotion")
    return found


def _grounded(reason: str, named: Collection[str], known: Evidence) -> bool:
    """Whether a reason cites anything that was measured: a unit, the voice, or spoken words.

    If no unit is present, relaxed features are a clue; if units were not measured, any mention of
    the face counts.
    """
    if supported(named, known.units or ()) or tone_words_in(reason) & set(known.tone):
        return True
    if not known.units and read_table("phrases")["still"] in reason:
        return True
    if known.units is None and re.search(r"\b(?:expression|face)\b", reason.lower()):
        return True
    said = {w for w in re.findall(r"[\w']+", known.text.lower()) if len(w) >= _LONG_WORD}
    told = set(re.findall(r"[\w']+", reason.lower()))
    return bool(said) and len(said & told) >= min(_LEAST_SHARED, len(said))


def _opposed(named: Collection[str], measured: Sequence[str]) -> bool:
    for first, second in read_table("phrases")["opposites"]:
        if (first in named and second in measured) or (second in named and first in measured):
            return True
    return False
