"""What the sentences of a text claim besides clues: channels, looks, quotations, a conclusion."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from emollama.manifest.labels import LabelSet
from emollama.scoring.predictions.denial import denials
from emollama.scoring.predictions.parsing import label_places
from emollama.scoring.reasons.lexicon import QUOTE, clues_in, plain

_CHANNEL_WORDS = {
    "face": r"fac(?:e|es|ial|ially)|(?<!vocal )expressions?|(?:eye)?brows?|eyes?|(?:eye)?lids?"
    r"|cheeks?|nose|mouth|lips?|jaw|chin|grimac\w*|gaze|picture|looks?(?! like)|looking",
    "voice": r"voices?|vocal\w*|tones?|pitch\w*|intonation|prosody|melody|timbre|sounds?|speech",
    "words": r"words?|wording|say|says(?! otherwise)|said|saying|sentences?|subtitles?|transcript"
    r"|(?:tells?|speaks?|talks?) (?:of|about)|in content|content of",
}
_MENTIONS = {c: re.compile(rf"\b(?:{words})\b") for c, words in _CHANNEL_WORDS.items()}
_HAS_IT = re.compile(rf"(?:{'|'.join(_CHANNEL_WORDS.values())})\s+(?:is|are|has|have)\b")
_ALL = re.compile(r"\ball (?:three )?(?:channels|clues)\b|\bthree channels\b")
_NOTHING = re.compile(r"\b(?:nothing|nobody|no one|absent|missing)\b")
_ASSERTS = re.compile(
    r"\b(?:emotions?|person|speaker|subject|man|woman|he|she|they|taken together|overall|on the"
    r" whole|so|therefore|thus)\b"
)
_ARTICLE = r"(?:the|his|her|their|(?:the\s+)?\w+'s)\s+"
_HAS = r"[\s,]*(?:shows?|has|with|displays?)"
_AND = r"(?:[\s,]|\b(?:and|or|an?|also|both|up|down|pitch|melody|timbre|loudness|speech|voice)\b)"
_SAYS_OF = {
    channel: re.compile(
        rf"(?:.*[:;\n])?\s*(?:the picture shows that\s+)?(?:{says})\b(?:#|{_AND})*", re.DOTALL
    )
    for channel, says in (
        ("face", rf"(?:{_ARTICLE})?(?:face|(?:facial )?expression){_HAS}|one sees"),
        ("voice", rf"(?:{_ARTICLE})?(?:voice|tone){_HAS}|in {_ARTICLE}voice there (?:is|are)"
         "|one hears"),
        ("words", "the words tell of"),
    )
}  # fmt: skip
"""A sentence up to a clue ("#") that it says one channel has, after others or none."""
_ENDS = re.compile(rf"(?:#|{_AND})*(?:$|[.:;!?,]|(?:looks?|sounds?)\b)")
"""What stands after such a clue; "a high pitch is heard" is told for itself."""
_AGREE = re.compile(
    r"(?P<before>[^;:]*)\b(?P<verb>agrees?|point the same way|counts? more than)\b"
    r"|\bgoing by (?P<after>[^;:]*?)\bthe (?:emotion|person)\b"
)
_BUT = re.compile(r"\b(?:but|although|though|while|whereas|because|which)\b")
"""What begins a clause that may say otherwise."""
_VERB = re.compile(r"\b(?:is|are|was|were|has|have|had)\b")
_CLAUSE = re.compile(rf"[,;:()]|{_BUT.pattern}")
_LOOKS = re.compile(
    r"\b(?:(?:face|expression|features)\b(?:\s+[\w']+){0,6}?"
    r"|looks?(?: like)?(?:\s+[\w']+){0,2}?)\s+$"
)
_BEFORE = re.compile(r"^\s*(?:face|(?:facial )?expression)\b")


def sentences(text: str) -> list[str]:
    """The sentences of a text; a full stop within a quotation ends none."""
    found, begin, quoted = [], 0, False
    for match in re.finditer(r"[\"“”]|[.!?]+(?=\s|$|[\"”])", text):
        if match[0] in '"“”':
            quoted = not quoted if match[0] == '"' else match[0] == "“"
            rest = text[match.end() :]
            closed = match.start() > 0 and text[match.start() - 1] in ".!?" and not quoted
            if not (closed and re.match(r"\s+[A-Z]|\s*$", rest)):
                continue
        elif quoted:
            continue
        if piece := text[begin : match.end()].strip():
            found.append(piece)
        begin = match.end()
    if rest := text[begin:].strip():
        found.append(rest)
    return found


def channels_in(sentence: str) -> set[str]:
    """Channels that a sentence tells of; that a channel is missing tells nothing of it."""
    flat = plain(sentence)
    if _NOTHING.search(flat):
        return set()
    found = {clue.channel for clue in clues_in(sentence)}
    told: set[str] = {str(c) for c in found}
    for channel, pattern in _MENTIONS.items():
        spans = [m.span() for m in pattern.finditer(flat)]
        if spans and not all(denials(flat, spans)):
            told.add(channel)
    if _ALL.search(flat):
        told |= set(_MENTIONS)
    if quotes_in(sentence):
        told.add("words")
    return told


def misplaced(sentence: str, content: Collection[str] = ()) -> bool:
    """Whether a sentence says of one channel what is a clue of another: a face with a high pitch.

    Args:
        sentence: of a reason.
        content: clues of the words.
    """
    without, spans = _without_clues(sentence, content)
    flat = plain(sentence)
    return any(
        channel != other
        # "A quiet smile" and "deadpan" are said of either channel.
        and (channel == "words" or _MENTIONS[channel].search(flat, start, end))
        and not _VERB.search(flat, start, end)  # a clause of its own: "the voice has a high pitch"
        and says.fullmatch(without, 0, start)
        and _ENDS.match(without, end)
        for channel, start, end in spans
        for other, says in _SAYS_OF.items()
    )


def subject_of(sentence: str, content: Collection[str] = ()) -> str | None:
    """The channel that a sentence names first, else that of its first clue; None without any."""
    without, spans = _without_clues(sentence, content)
    named = [(m.start(), c) for c, pattern in _MENTIONS.items() for m in pattern.finditer(without)]
    found = sorted(named) or sorted((start, channel) for channel, start, _ in spans)
    return found[0][1] if found else None


def told_of(sentence: str, content: Collection[str] = ()) -> set[str]:
    """Channels of which a sentence affirms a clue; a quotation tells of the words."""
    told = {channel for channel, _, _ in _without_clues(sentence, content)[1]}
    return told | ({"words"} if quotes_in(sentence) else set())


def _without_clues(
    sentence: str, content: Collection[str]
) -> tuple[str, list[tuple[str, int, int]]]:
    """(the text of `plain` with "#" in place of its clues, (channel, start, end) of each).

    A clue that begins with what has it, as in "the voice has a high pitch", keeps these words.
    """
    flat = plain(sentence)
    spans = [(str(c.channel), c.start, c.end) for c in clues_in(sentence) if not c.denied]
    for words in content:
        found = re.finditer(rf"\b{re.escape(words.lower())}\b", flat)
        spans += [("words", *match.span()) for match in found]
    without = list(flat)
    for _, start, end in spans:
        has = _HAS_IT.match(flat, start, end)
        begin = has.end() if has else start
        without[begin:end] = "#" * (end - begin)
    return "".join(without), spans


def agreeing(sentence: str) -> set[str]:
    """Channels of which a sentence says that they agree, or that the answer follows them."""
    flat = plain(sentence)
    found: set[str] = set()
    for match in _AGREE.finditer(flat):
        if match["verb"] and denials(flat, [match.span("verb")])[0]:
            continue
        of = _BUT.split(match["before"] or match["after"] or "")[-1]
        found |= set(_MENTIONS) if _ALL.search(of) else channels_in(of)
    return found


def looks_in(sentence: str, labels: LabelSet) -> set[str]:
    """Emotions that a sentence says the face looks like."""
    found = set()
    flat = plain(sentence)
    for label, start, end, denied in label_places(flat, labels):
        if denied:
            continue
        if _LOOKS.search(_clause_before(flat, start)) or _BEFORE.match(flat[end:]):
            found.add(label)
    return found


def _clause_before(flat: str, start: int) -> str:
    ends = [m.end() for m in _CLAUSE.finditer(flat, 0, start)]
    return flat[ends[-1] if ends else 0 : start]


def quotes_in(text: str) -> list[str]:
    """Quotations of two words or more in a text."""
    return [q for q in QUOTE.findall(text) if len(q.split()) >= 2]


def quoted_share(quote: str, said: str) -> float:
    """Share of a quotation's words that are in the transcript."""
    words = re.findall(r"[\w']+", quote.lower())
    heard = set(re.findall(r"[\w']+", said.lower()))
    return sum(w in heard for w in words) / len(words) if words else 1.0


def labels_in(text: str, labels: LabelSet) -> list[str]:
    """Labels that a text names and does not deny, by word or synonym, in order."""
    return [label for label, _, _, denied in label_places(plain(text), labels) if not denied]


def conclusion(text: str, labels: LabelSet) -> tuple[int, str] | None:
    """(place of the sentence, label) that a text comes to; None without a label.

    It is the last label said of the person, the emotion, or of nobody. What a single channel
    points to is no conclusion, unless there is no other.
    """
    last: tuple[int, str] | None = None
    concluded: tuple[int, str] | None = None
    for place, sentence in enumerate(sentences(text)):
        for clause in _clauses(plain(sentence)):
            named = labels_in(clause, labels)
            if not named:
                continue
            last = (place, named[-1])
            if _ASSERTS.search(clause) or not channels_in(clause):
                concluded = last
    return concluded or last


def _clauses(flat: str) -> Iterator[str]:
    begin = 0
    for match in _CLAUSE.finditer(flat):
        yield flat[begin : match.start()]
        begin = match.start() if match[0].isalpha() else match.end()
    yield flat[begin:]
