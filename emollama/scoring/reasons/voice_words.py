"""What English says of a voice, as one of the clue words that are measured.

The clue words are those of the voice rules (`emollama.llm.clues`): two opposite words for each
measure. Prose says the same otherwise: "high-pitched", "a raised voice", "speaks softly". A table
of patterns finds them. Where a phrase may mean two measures ("a soft tone" is quiet or mellow), it
is read as the commoner one; "a low voice" is read as pitch.
"""

from __future__ import annotations

import re

OPPOSITES: tuple[tuple[str, str], ...] = (
    ("low pitch", "high pitch"),
    ("flat melody", "lively melody"),
    ("quiet voice", "loud voice"),
    ("slow speech", "fast speech"),
    ("soft timbre", "sharp timbre"),
    ("even loudness", "changing loudness"),
    ("few pauses", "many pauses"),
)
OPPOSITE = {a: b for pair in OPPOSITES for a, b in (pair, pair[::-1])}
ORDINARY = "ordinary tone"
"""The clue word of a voice of which no measure stands out."""

NOT = r"(?:not|never|hardly|barely|scarcely|no longer|\w+n't|without|no)"
_GAP = r"[\s-]+"
# What a word between quality and thing may not be, or it would belong to another measure.
_THINGS = (
    r"(?:voices?|tones?|pitch\w*|melody|intonation|register|speech|speaking|pace|tempo|rate|speed"
    r"|delivery|volume|loudness|intensity|energy|timbre|sound|pauses?|prosody|brows?|lips?|face"
    r"|mood|spirits|key)"
)
_BETWEEN = rf"(?:(?!{_THINGS}\b)[\w']+{_GAP}){{0,2}}"
_VERB = (
    r"(?:is|was|are|were|be|being|sounds?|sounded|seems?|seemed|becomes?|became|gets?|got|stays?"
    r"|stayed|remains?|remained|turns?|turned|has|had|goes|went|isn't|wasn't|doesn't|does)"
)
_DEGREE = (
    r"(?:not|never|hardly|barely|rather|very|quite|fairly|slightly|somewhat|bit|a|an|the|more|much"
    r"|too|so|as|most|even|still|also|both|less|sound|seem|become|get|been|[\w]+ly|soft and"
    r"|low and|high and|loud and|quiet and|slow and|fast and|[\w]+ and)"
)


def _near(quality: str, thing: str) -> str:
    """The quality before its thing, said of it with a verb, or in a list ("voice: low, soft")."""
    return (
        rf"(?:{quality}){_GAP}{_BETWEEN}(?:{thing})\b"
        rf"|(?:{thing}){_GAP}{_VERB}{_GAP}(?:{_DEGREE}{_GAP}){{0,4}}(?:{quality})\b"
        rf"|(?:{thing}): (?:[\w-]+,? ){{0,3}}?(?:{quality})\b(?!{_GAP}{_THINGS}\b)"
    )


def _does(verb: str, way: str) -> str:
    """A verb of speaking with its adverb, at most four words later or just before."""
    gap = rf"{_GAP}(?:(?!(?:{_THINGS}|that)\b)[\w']+{_GAP}){{0,4}}?"
    return rf"(?:{verb}){gap}(?:{way})\b|(?:{way}){_GAP}(?:{verb})\b"


_PITCH = r"pitch(?:ed)?|register|voice|tone"
_VOICE = r"voice|tone(?: of voice)?|speech|speaking|delivery|volume"
_LOUDNESS = r"volume|loudness|intensity|vocal energy|energy of the voice"
_PACE = r"speech|speaking|talking|pace|tempo|rate|speed|delivery"
_TUNE = r"melody|intonation|tone|voice|prosody|delivery|speech|pitch"
_SPEAK = r"(?:speak|spoke|talk|say|said|deliver|utter|tell|told|sound|read)\w*"
_WHOSE = r"(?:his|her|their|its|the|a|one's)"
_LESS = r"low(?:er|est|ers|ered|ering)?|drop(?:s|ped|ping)?|fall(?:s|ing)?|fell|sinks?|sank"
_MORE = r"ris(?:es|ing|en)|rose|climb(?:s|ed|ing)?|soar(?:s|ed|ing)?|goes up|went up"

_TABLE: dict[str, str] = {
    "low pitch": "|".join((
        _near(r"low(?:er|est)?|deep(?:er|est)?", _PITCH),
        rf"pitch{_GAP}(?:{_LESS})\b",
        rf"(?:lowered|dropped|falling|sinking){_GAP}pitch\b",
        rf"(?:lowers?|drops?){_GAP}{_WHOSE}{_GAP}pitch\b",
        rf"low{_GAP}pitched\b|baritone|in a low key",
    )),
    "high pitch": "|".join((
        _near(r"high(?:er|est)?|shrill(?:er)?|squeaky", _PITCH),
        rf"pitch{_GAP}(?:{_MORE}|(?:{_VERB}{_GAP}){{1,2}}(?:raised|elevated|up))\b",
        rf"(?:raised|elevated|rising|increased){_GAP}pitch\b",
        rf"rais\w+{_GAP}{_WHOSE}{_GAP}pitch\b",
        rf"high{_GAP}pitched\b|pitched{_GAP}high\b|shrill\w*|squeak\w*|falsetto",
    )),
    "quiet voice": "|".join((
        _near(r"quiet(?:er|est)?|soft(?:er|est)?|hushed|faint(?:er)?|subdued|muted|lowered|weak(?:er)?",
              _VOICE),
        _near(r"low(?:er)?|little|reduced|weak(?:er)?|small", _LOUDNESS),
        _does(_SPEAK, r"(?:more )?(?:softly|quietly|faintly)|under (?:his|her|their) breath"),
        rf"low(?:ers?|ered|ering){_GAP}{_WHOSE}{_GAP}voice\b",
        r"whisper\w*|murmur\w*|mumbl\w*|mutter\w*|quiet(?:er|est|ly)?|soft-spoken|barely audible",
    )),
    "loud voice": "|".join((
        _near(r"loud(?:er|est)?|booming|raised|strong(?:er)?|powerful|forceful|thundering|rising",
              r"voice|tone(?: of voice)?|speech|volume"),
        _near(r"high(?:er)?|great(?:er)?|raised|increased|strong(?:er)?|much", _LOUDNESS),
        rf"rais(?:e|es|ing){_GAP}{_WHOSE}{_GAP}voice\b",
        r"(?:shout|yell|scream|holler|bellow)(?:s|ed|ing)?|loud(?:er|est|ly)?"
        r"|top of (?:his|her|their) (?:voice|lungs)|deafening",
    )),
    "slow speech": "|".join((
        _near(r"slow(?:er|est)?|sluggish|unhurried|dragging|leisurely", f"{_PACE}|voice"),
        _does(_SPEAK, r"(?:more )?slow(?:ly|er)"),
        rf"drawn{_GAP}out|takes (?:his|her|their) time|slow(?:ly|s down|ed down)"
        r"|in no hurry|drawl\w*",
    )),
    "fast speech": "|".join((
        _near(r"fast(?:er|est)?|quick(?:er|est)?|rapid|hurried|rushed|hasty|brisk|high(?:er)?",
              _PACE),
        _near(r"fast(?:er|est)?|quick(?:er|est)?|rapid|hurried|rushed", "voice"),
        _does(_SPEAK, r"(?:more )?(?:fast(?:er)?|quick(?:ly|er)|rapidly|hastily|hurriedly)"),
        r"rush(?:es|ed|ing)? (?:through|words)|in a hurry|words tumble\w*|rapid-fire|speeds? up",
    )),
    "flat melody": "|".join((
        _near(r"flat(?:ter)?|lifeless|unvarying|unvaried|toneless|expressionless", _TUNE),
        _near(r"level|even|narrow|small|limited", r"melody|intonation|pitch range|range of pitch"),
        r"monoton\w+|deadpan|without (?:any )?(?:melody|intonation|inflection)|hardly any melody"
        r"|(?:little|no|hardly any) (?:melody|intonation"
        r"|(?:variation|change|movement) (?:in|of) (?:the )?pitch)",
    )),
    "lively melody": "|".join((
        _near(
            r"livel(?:y|ier|iest)|animated|vari?ed|varying|expressive|melodi(?:ous|c)|wide", _TUNE
        ),
        rf"sing{_GAP}song|lilt\w*|up and down in pitch|pitch varies"
        rf"|(?:wide|large|broad){_GAP}(?:pitch range|range of pitch)",
    )),
    "soft timbre": _near(r"soft(?:er)?|dark(?:er)?|mellow|warm(?:er)?|muffled|dull", "timbre")
    + "|" + _near(r"mellow|muffled|velvety", r"voice|tone|sound"),
    "sharp timbre": _near(r"sharp(?:er)?|bright(?:er)?|harsh(?:er)?|piercing|hard", "timbre")
    + "|" + _near(r"sharp(?:er)?|harsh(?:er)?|piercing|shrill|strident", r"voice|tone|sound"),
    "even loudness": _near(r"even|steady|constant|stable|uniform|unchanging", r"loudness|volume"),
    "changing loudness": _near(
        r"changing|varying|varied|variable|fluctuating|uneven|unsteady|swelling", r"loudness|volume"
    ) + r"|(?:loudness|volume) (?:changes|varies|fluctuates|swells)",
    "few pauses": rf"(?:few(?:er)?|hardly any|scarcely any|rare|no){_GAP}(?:\w+{_GAP})?pauses?\b"
    r"|(?:rarely|seldom|hardly|barely|scarcely|never) paus\w+|without (?:a |any |many )?paus\w+"
    r"|(?:speaks?|spoke|speech) (?:is )?fluent\w*|without (?:a )?break",
    "many pauses": rf"(?:many|frequent|numerous|several|long(?:er)?|lots of|more){_GAP}"
    rf"(?:\w+{_GAP})?pauses?\b|paus\w+ (?:often|frequently|a lot|again and again|many times)"
    r"|(?:many|frequent|long) silences|(?:often|frequently) paus\w+|halting\w*|hesita\w+"
    r"|pauses are (?:frequent|long|many)",
    ORDINARY: _near(r"ordinary|normal|usual|unremarkable|average", r"tone|voice|speech")
    + r"|nothing in the voice stands out",
}  # fmt: skip
PATTERNS = {
    words: re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE) for words, pattern in _TABLE.items()
}
FEWER = re.compile(r"\b(?:less|not (?:as|so)|lower in)\b", re.IGNORECASE)
