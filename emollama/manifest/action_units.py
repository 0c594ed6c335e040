"""Facial action units: their FACS names, and the words that prose uses for them.

The units and their names are those of the Facial Action Coding System (Ekman, Friesen & Hager 2002)
that OpenFace measures. MERR's annotators paraphrase them freely ("brow lowerer" becomes "furrowed
brows"), so a text is searched for what a unit does to which part of the face.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

UNIT_NAMES: dict[str, str] = {
    "AU01": "inner brow raiser",
    "AU02": "outer brow raiser",
    "AU04": "brow lowerer",
    "AU05": "upper lid raiser",
    "AU06": "cheek raiser",
    "AU07": "lid tightener",
    "AU09": "nose wrinkler",
    "AU10": "upper lip raiser",
    "AU12": "lip corner puller",
    "AU14": "dimpler",
    "AU15": "lip corner depressor",
    "AU17": "chin raiser",
    "AU20": "lip stretcher",
    "AU23": "lip tightener",
    "AU25": "lips part",
    "AU26": "jaw drop",
    "AU28": "lip suck",
    "AU45": "blink",
}

_RAISE = r"(?:rais|lift|elevat|arch)\w*"
_UP = rf"(?:{_RAISE}|(?:go|goes|went|pull\w*|mov\w*|shoot\w*|shot) up)"
_DOWNWARD = r"(?:lower|furrow|knit|drawn?|droop|depress|downturn|turned down|frown)\w*"
_DOWN = rf"(?:{_DOWNWARD}|down\w*)"
_GAP = r"[^\w,;:.()]+"
_OTHER = r"(?:eye)?(?:brow|lid)s?|eyes?|cheeks?|nose|corners?|jaw|chin|voice|pitch"
_PARTS = rf"(?:{_OTHER}|lips?|mouth)"
_NEAR = rf"(?:{_GAP}(?!(?:{_OTHER})\b)\w+){{0,3}}?{_GAP}"
"""Up to three words of a clause between the part of the face ("corners of the mouth") and its
movement; what comes between is no other part, nor the voice, which is raised as well."""
_NEW = (
    rf"(?:with|while|as|but|when|where)\b|(?:and|or|nor){_GAP}"
    rf"(?:(?:his|her|their|its|the|an?|both){_GAP})?{_PARTS}\b"
)
"""Where something else begins: "raised with", "lifted and her lips"."""
_BEFORE = rf"(?:{_GAP}(?!{_PARTS}\b|{_NEW})\w+){{0,3}}?{_GAP}"
"""The same before the part that moves."""
_ITS_OWN = rf"(?!\w|{_GAP}(?:(?!(?:and|or|but|with|while|as|when)\b)\w+{_GAP})?{_PARTS}\b)"
"""After a movement that belongs to the part before it: no part follows that it would be of."""


def _either(part: str, doing: str, before: str = "") -> str:
    """The part and its movement, or the movement (`before`, where that is another) and its part."""
    return rf"{part}{_NEAR}{doing}{_ITS_OWN}|{before or doing}{_BEFORE}{part}"


_BROW, _LIP, _MOUTH = r"(?:eye)?brows?", r"lips?(?! corners?\b)", r"(?:mouth|lips?)"
_CORNERS = r"(?:(?:lip|mouth) )?corners?(?: of (?:the|his|her|their) (?:mouth|lips))?"
_OPEN = rf"(?:{_GAP}(?!slightly|little|partly|half|closed|shut|(?:{_OTHER})\b)\w+){{0,3}}?{_GAP}"
_LITTLE = r"(?:slightly|a little|partly|half)"
_PATTERNS: dict[str, str] = {
    "AU01": _either(rf"(?:inner )?{_BROW}", _UP, _RAISE),
    "AU02": _either(rf"(?:outer )?{_BROW}", _UP, _RAISE),
    "AU04": rf"{_either(_BROW, _DOWN, _DOWNWARD)}|frown\w*|scowl\w*",
    "AU05": r"eyes? (?:(?:are|were|is|go|grow|open) )?(?:(?:very|so|rather) )?wid\w+"
    r"|wid\w+(?: open| his| her| their| the)?\W+eyes?|wide-eyed|"
    + _either(r"(?:upper )?(?:eye)?lids?", _UP, _RAISE),
    "AU06": _either(r"cheeks?", r"(?:rais|lift)\w*") + r"|eyes? narrow\w*|narrow\w* eyes?\b",
    "AU07": _either(r"(?:eye)?lids?", r"(?:tight|tens|narrow)\w*") + r"|squint\w*|facial tightness",
    "AU09": _either(r"nose", r"(?:wrinkl|curl|pucker|scrunch)\w*"),
    "AU10": _either(rf"(?<!lower )(?:upper )?{_LIP}", _UP, _RAISE)
    + r"|lips? curl\w*|show\w* teeth",
    "AU12": r"smil\w*|grin\w*|upward (?:curve|turn)\w* of (?:\w+ )?(?:lips|mouth)"
    r"|(?:lips|mouth) curv\w* up\w*|"
    + _either(_CORNERS, r"(?:up|upturn|turn\w* up|pull(?!\w*\W+down)|rais|lift)\w*"),
    "AU14": r"dimpl\w*|indentation\w*",
    "AU15": _either(
        rf"(?:{_CORNERS}|{_MOUTH})",
        r"(?:droop|depress|downturn|downward|(?:turn|pull|draw)\w* down)\w*",
    )
    + rf"|{_CORNERS}{_NEAR}down\b|lower\w*{_BEFORE}{_CORNERS}",
    "AU17": _either(r"chin", r"(?:rais|lift|held|high)\w*"),
    "AU20": _either(_MOUTH, r"(?:stretch)\w*") + r"|(?:nasal|nostrils?) (?:flar|enlarg)\w*",
    "AU23": _either(_LIP, r"(?:tight|press|compress|purs)\w*"),
    "AU25": _either(_LIP, r"(?:part|apart)\w*")
    + rf"|{_LITTLE}[ -]open(?:ed)? mouth|mouth (?:\w+ )?{_LITTLE} open",
    "AU26": r"jaw\W+(?:\w+ ){0,2}?(?:drop|fall|fell|hang|hung)\w*|(?:dropped|fallen)\W+jaw|"
    + r"drop\w* (?:his|her|their|the) jaw|"
    + rf"mouth{_OPEN}(?:open|wide|agape)\w*{_ITS_OWN}|(?<!slightly )(?<!half )open\w*{_BEFORE}mouth"
    + rf"|(?:wide|agape)\w*{_BEFORE}mouth"
    + r"|wide-mouthed",
    "AU28": _either(_LIP, r"(?:suck|drawn? in|pucker)\w*"),
    "AU45": r"blink\w*",
}
_COMPILED = {unit: re.compile(rf"\b(?:{p})", re.IGNORECASE) for unit, p in _PATTERNS.items()}


def in_words(units: Iterable[str]) -> str:
    """The names of the units, in the order given; a unit without a name keeps its code."""
    return ", ".join(UNIT_NAMES.get(unit, unit) for unit in units)


def units_in(text: str) -> set[str]:
    """The units that a text names. Raised brows without "inner" or "outer" are both."""
    return {unit for unit, _, _ in unit_mentions(text)}


def unit_mentions(text: str) -> Iterator[tuple[str, int, int]]:
    """(unit, start, end) of each place where a text names a unit."""
    for unit, pattern in _COMPILED.items():
        for match in pattern.finditer(text):
            if not _of_other_part(unit, text, match):
                yield unit, match.start(), match.end()


_PART_OF_BROW = {"AU01": ("inner", "outer"), "AU02": ("outer", "inner")}
_CLAUSE_END = re.compile(r"[,;:.!?()]")


def _of_other_part(unit: str, text: str, match: re.Match[str]) -> bool:
    """Whether only the other part of the brows is named, before the movement or within it."""
    if unit not in _PART_OF_BROW:
        return False
    before = _CLAUSE_END.split(text[: match.start()])[-1].split()[-8:]
    words = {word.lower() for word in (*before, *re.findall(r"\w+", match[0]))}
    own, other = _PART_OF_BROW[unit]
    return other in words and own not in words
