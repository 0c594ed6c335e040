"""From a free answer to the one label it names, or to the reason why there is none.

A failure is a finding of its own kind and never becomes a label. `PARSERS` holds three rules:
`words`, ours, `upstream`, the released Emotion-LLaMA's, and `exact`, Emotion-LLaMA-v2's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.manifest.labels import LabelSet
from emollama.scoring.predictions.denial import denials, without_harmless
from emollama.scoring.predictions.prediction import Prediction

EMPTY = "empty answer"
NONE = "no label named"
DENIED = "only labels that are denied"
SEVERAL = "several labels named"
LAST_WORD = "last word is no label"
OTHER = "another text than a label"

_APOSTROPHES = str.maketrans("\u2018\u2019", "''")


@dataclass(frozen=True)
class Parsed:
    """The label, or why there is none."""

    label: str | None
    failure: str | None = None


def parse_words(text: str, labels: LabelSet) -> Parsed:
    """The one label whose word, or a synonym of it, stands in the text and is not denied.

    Words are matched whole ("unhappy" is not "happy", nor is "un-happy"), whatever their case and
    the quotes or dashes around them; a label of several words or with punctuation is matched as
    it is. What denies a label says `denials`: "not happy but sad" names sad. A text that names
    two labels names none.
    """
    if not text.strip():
        return Parsed(None, EMPTY)
    named, denied = _named(text, labels)
    if len(named) == 1:
        return Parsed(named.pop())
    return Parsed(None, SEVERAL if named else DENIED if denied else NONE)


def named_labels(text: str, labels: LabelSet) -> set[str]:
    """Every label that a text names and does not deny, by the rule of `parse_words`."""
    return _named(text, labels)[0]


def _named(text: str, labels: LabelSet) -> tuple[set[str], bool]:
    """The labels named, and whether any was denied."""
    places = label_places(without_harmless(text.lower().translate(_APOSTROPHES)), labels)
    return {p[0] for p in places if not p[3]}, any(p[3] for p in places)


def label_places(plain: str, labels: LabelSet) -> list[tuple[str, int, int, bool]]:
    """(label, start, end, denied) of each label word of a text, in order.

    `plain` is in lower case, as `without_harmless` leaves it.
    """
    pattern, meant = _pattern(labels)
    found = list(pattern.finditer(plain))
    denied = denials(plain, [m.span() for m in found])
    return [
        (meant[" ".join(m[0].split())], *m.span(), no) for m, no in zip(found, denied, strict=True)
    ]


def parse_set(text: str) -> tuple[str, ...]:
    """The words of an answer that lists them, each once, as written; () where there are none.

    They are separated by commas, semicolons, lines or "and"; full stops and quotes around them go.
    """
    pieces = re.split(r"[,;\n]|\band\b", text)
    found: dict[str, str] = {}
    for piece in pieces:
        word = " ".join(piece.strip(" .!?\"'[]").split())
        if word:
            found.setdefault(word.lower(), word)
    return tuple(found.values())


def parse_last_word(text: str, labels: LabelSet) -> Parsed:
    """The last word of the answer where it is a label as written, as the released system reads it.

    That system goes on to score anything else as "neutral"; here it stays a failure (the metric
    `weighted_f1_upstream` gives its number).
    """
    words = text.split(" ")
    if not text.strip():
        return Parsed(None, EMPTY)
    return Parsed(words[-1]) if words[-1] in labels.labels else Parsed(None, LAST_WORD)


def parse_exact(text: str, labels: LabelSet) -> Parsed:
    """The answer where it is a label and nothing else, case and blanks around it ignored.

    Emotion-LLaMA-v2's scorers (evaluation/score_split.py) take whole answers; synonyms are others.
    """
    said = text.strip().lower()
    if not said:
        return Parsed(None, EMPTY)
    found = next((label for label in labels.labels if label.lower() == said), None)
    return Parsed(found, None if found else OTHER)


PARSERS: dict[str, Callable[[str, LabelSet], Parsed]] = {
    "words": parse_words,
    "upstream": parse_last_word,
    "exact": parse_exact,
}


def get_parser(name: str) -> Callable[[str, LabelSet], Parsed]:
    """The rule called `name`; an unknown name is an `EmollamaError`."""
    if name not in PARSERS:
        raise EmollamaError(f"parser '{name}' is unknown{did_you_mean(name, PARSERS)}")
    return PARSERS[name]


def parse_again(rows: Sequence[Prediction], labels: LabelSet, parser: str) -> list[Prediction]:
    """The rows with labels read anew from their `answer`; rows without one stay as they are.

    Raises:
        EmollamaError: an unknown parser, or no row with an answer.
    """
    rule = get_parser(parser)
    if not any(r.answer is not None for r in rows):
        raise EmollamaError(f"--parser {parser}: no row has an answer text")
    made = []
    for row in rows:
        if row.answer is not None:
            found = rule(row.answer, labels)
            update = {"label": found.label, "parse_failure": found.failure}
            row = row.model_copy(update=update)
        made.append(row)
    return made


@lru_cache(maxsize=16)
def _compiled(words: tuple[str, ...]) -> re.Pattern[str]:
    either = "|".join(r"\s+".join(map(re.escape, w.split())) for w in words)
    # Neither within a word, nor joined to one by one hyphen, underscore or apostrophe.
    return re.compile(rf"(?<![^\W_])(?<![^\W_]['_-])(?:{either})(?![^\W_])(?!['_-][^\W_])")


def _pattern(labels: LabelSet) -> tuple[re.Pattern[str], dict[str, str]]:
    """What finds label words, the longest first, and the label that each of them means."""
    meant: dict[str, str] = {}
    for word in (*labels.labels, *labels.synonyms):
        key = " ".join(word.lower().translate(_APOSTROPHES).split())
        meant.setdefault(key, str(labels.canonical(word)))
    return _compiled(tuple(sorted(meant, key=lambda w: (-len(w), w)))), meant
