"""Questions that a recording's segments answer: "when is A angry?", "when does B get upset?"

The rules, which every answer states: a feeling is one or more labels (`FEELINGS` and the labels'
own synonyms); somebody *is* so in the segments whose most probable label is one of them, and *gets*
so in those of them whose person had another label, or none, in the segment before.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from emollama.base.errors import EmollamaError
from emollama.manifest.labels import label_set
from emollama.recording.parts import Analysis, Segment, SegmentAnswer
from emollama.scoring.reasons.sentences import listed

FEELINGS: dict[str, tuple[str, ...]] = {
    "upset": ("angry", "sad", "worried", "fear"),
    "tense": ("angry", "worried", "fear"),
    "stressed": ("angry", "worried", "fear"),
    "frustrated": ("angry",),
    "depressed": ("sad",),
    "hurt": ("sad",),
    "panicked": ("fear",),
    "excited": ("happy", "surprise"),
    "positive": ("happy", "calm"),
    "negative": ("angry", "sad", "worried", "fear", "disgust", "contempt"),
}
"""Words that are no label, as labels; a model's label of the same name comes first."""

_BASIC = label_set(
    "feelings", "neutral", "calm", "happy", "sad", "angry", "surprise", "worried", "fear",
    "disgust", "boredom", "contempt", "doubt",
)  # fmt: skip
_GETS = re.compile(r"\b(?:gets?|got|becom(?:es?|ing)|became|turns?|starts?|begins?|grows?)\b")
_OTHER = re.compile(
    r"\b(?:not|no|never|nobody|none|neither|nor|without|hardly|rarely|except|but|than|why|how|both|"
    r"together|while|before|after|until|less|least|more|most|stop\w*|ceas\w*|end(?:s|ed)?|mak\w+|made)"
    r"\b|n't\b"
    r"|^\s*what\b(?! time)"
)
"""What makes another question of it: a negation, a comparison, an end, several at once."""
_TOWARDS = r"(?<!\bat )(?<!\bwith )(?<!\babout )"
_SUBJECT = re.compile(
    r"\bwhen(?:ever)?\s+(?:is|was|are|were|does|did|do|has|had)\s+([^\W\d_][\w'-]*)", re.IGNORECASE
)
_ANYBODY = frozenset((
    "she", "he", "they", "it", "we", "you", "i", "any", "anyone", "anybody", "some", "someone",
    "somebody", "everyone", "everybody", "one", "people", "person", "the", "a", "an", "either",
    "there", "this", "that", "her", "his", "their",
))  # fmt: skip


@dataclass(frozen=True)
class Found:
    """An answer.

    Attributes:
        rule: what was looked for, as a sentence.
        segments: that fit it, with their answers, in order of time.
    """

    rule: str
    segments: tuple[tuple[Segment, SegmentAnswer], ...]


def asked(analysis: Analysis, question: str) -> Found:
    """The segments that answer a question.

    Raises:
        EmollamaError: what can be asked, where this cannot; or that nobody is called so, or the
            model has no such label.
    """
    text = " ".join(question.split()).replace("\u2019", "'")  # as telephones write it
    lower = text.lower()
    words = _feelings(analysis, text)
    if not words or _OTHER.search(lower):
        raise EmollamaError(askable(analysis))
    people = _people(analysis, text)
    if people[1:] and words[1:]:  # who is what?
        raise EmollamaError(askable(analysis))
    labels = [x for x in analysis.labels if any(x in _labels(analysis, word) for word in words)]
    if not labels:
        raise EmollamaError(
            f"this model has no label for '{words[0]}'; its labels are {', '.join(analysis.labels)}"
        )
    gets = _GETS.search(lower) is not None
    names = people or [person.name for person in analysis.people]
    rule = f"Segments of {listed(names)} whose most probable label is "
    rule += ("one of " if labels[1:] else "") + ", ".join(labels)
    if words != labels:
        rule += f" ({', '.join(repr(word) for word in words)})"
    if gets:
        rule += ", and was none of these in the segment before"
    return Found(f"{rule}.", tuple(_fitting(analysis, names, labels, gets)))


def askable(analysis: Analysis) -> str:
    """What can be asked, in one sentence."""
    name = analysis.people[0].name if analysis.people else "A"
    known = [x for x in FEELINGS if x not in analysis.labels and _labels(analysis, x)]
    return (
        f'ask when somebody is or gets something, as "when is {name} {analysis.labels[0]}?" or '
        f'"when does {name} get upset?"; known are {", ".join([*analysis.labels, *known])}'
    )


def _labels(analysis: Analysis, word: str) -> list[str]:
    """The model's labels that a word means."""
    own = [x for x in analysis.labels if x.lower() == word]
    if own:
        return own
    meant = FEELINGS.get(word) or (_BASIC.canonical(word),)
    return [x for x in analysis.labels if (_BASIC.canonical(x) or x) in meant]


def _feelings(analysis: Analysis, text: str) -> list[str]:
    """Words of feelings in a question, in its order; of "very unhappy" not "happy" as well, and
    of "is Joy angry" not her name.
    """
    known = {x.lower() for x in analysis.labels} | {*_BASIC.labels, *_BASIC.synonyms, *FEELINGS}
    longest = sorted(known, key=len, reverse=True)
    word = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, longest))})(?![\w-])")
    nameless = text
    for person in analysis.people:
        nameless = _called(person.name).sub(" ", nameless)
    found = word.findall(nameless.lower()) or word.findall(text.lower())
    return list(dict.fromkeys(found))


def _people(analysis: Analysis, text: str) -> list[str]:
    """Who is asked about; nobody by name where it is anybody."""
    names = [person.name for person in analysis.people]
    found = [name for name in names if _called(name).search(text)]
    # Who is angry at somebody, and not at whom.
    found = [name for name in found if _called(name, _TOWARDS).search(text)] or found
    subject = _SUBJECT.search(text)
    if not found and subject is not None:
        who = subject[1].removesuffix("'s")
        if who.lower() not in _ANYBODY and not _feelings(analysis, who):
            raise EmollamaError(
                f"nobody here is called '{who[:40]}'; the people are {listed(names)}"
            )
    return found


def _called(name: str, behind: str = "") -> re.Pattern[str]:
    # "a" is an article, "A" a person; longer names may be written as one likes.
    flags = re.IGNORECASE if len(name) > 1 else re.NOFLAG
    name = name.replace("\u2019", "'")
    return re.compile(rf"{behind}(?<!\w){re.escape(name)}(?!\w)", flags)


def _fitting(
    analysis: Analysis, names: Sequence[str], labels: Sequence[str], gets: bool
) -> list[tuple[Segment, SegmentAnswer]]:
    before: dict[str, str | None] = {}
    found = []
    for segment, answer in zip(analysis.segments, analysis.answers, strict=True):
        fits = segment.person in names and answer.label in labels
        if fits and not (gets and before.get(segment.person) in labels):
            found.append((segment, answer))
        before[segment.person] = answer.label
    return found
