"""From a free answer to the one label it names, or to the reason why there is none.

A failure is a finding of its own kind and never becomes a label. `PARSERS` holds two rules:
`words`, ours, and `upstream`, the released Emotion-LLaMA's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from emollama.errors import EmollamaError, did_you_mean
from emollama.evaluation.predictions import Prediction
from emollama.labels import LabelSet

EMPTY = "empty answer"
NONE = "no label named"
DENIED = "only labels that are denied"
SEVERAL = "several labels named"
LAST_WORD = "last word is no label"

REACH = 3
"""Words between a negation and the label that it denies: "not at all very happy"."""

_NEGATION = re.compile(
    r"(?:not|no|never|neither|nor|without|hardly|barely|non|cannot|\w+n't|rather than|instead of)"
)
_HARMLESS = re.compile(
    r"\b(?:no doubt|without (?:a |any )?doubt|not (?:only|just|merely|simply)|no less)\b"
)
"""Negations that deny nothing. What is certain is said in words that deny doubt, not in doubt."""

_CLAUSE = re.compile(r"[.,;:!?()\n]|\b(?:but|however|although|though|because)\b")
"""Where the reach of a negation ends."""


@dataclass(frozen=True)
class Parsed:
    """The label, or why there is none."""

    label: str | None
    failure: str | None = None


def parse_words(text: str, labels: LabelSet) -> Parsed:
    """The one label whose word, or a synonym of it, stands in the text and is not denied.

    Words are matched whole ("unhappy" is not "happy"), whatever their case. A label after "not",
    "no", "never", "without", "rather than" and the like, at most `REACH` words away in the same
    clause, is denied: "not happy but sad" names sad. A text that names two labels names none.
    """
    if not text.strip():
        return Parsed(None, EMPTY)
    plain = _HARMLESS.sub(" ", text.lower().replace("\u2019", "'"))
    named: set[str] = set()
    denied = False
    for clause in _CLAUSE.split(plain):
        for found in _pattern(labels).finditer(clause):
            if _is_denied(clause[: found.start()]):
                denied = True
            else:
                named.add(str(labels.canonical(found[0])))
    if len(named) == 1:
        return Parsed(named.pop())
    return Parsed(None, SEVERAL if named else DENIED if denied else NONE)


def parse_last_word(text: str, labels: LabelSet) -> Parsed:
    """The last word of the answer where it is a label as written, as the released system reads it.

    That system goes on to score anything else as "neutral"; here it stays a failure (the metric
    `weighted_f1_upstream` gives its number).
    """
    words = text.split(" ")
    if not text.strip():
        return Parsed(None, EMPTY)
    return Parsed(words[-1]) if words[-1] in labels.labels else Parsed(None, LAST_WORD)


PARSERS: dict[str, Callable[[str, LabelSet], Parsed]] = {
    "words": parse_words,
    "upstream": parse_last_word,
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
        raise EmollamaError(f"--parser {parser}: no row holds the text of an answer")
    made = []
    for row in rows:
        if row.answer is not None:
            found = rule(row.answer, labels)
            update = {"label": found.label, "parse_failure": found.failure}
            row = row.model_copy(update=update)
        made.append(row)
    return made


def _pattern(labels: LabelSet) -> re.Pattern[str]:
    words = {w.lower() for w in (*labels.labels, *labels.synonyms)}
    either = "|".join(re.escape(w) for w in sorted(words, key=lambda w: (-len(w), w)))
    return re.compile(rf"(?<![\w'-])(?:{either})(?![\w'-])")


def _is_denied(before: str) -> bool:
    words = re.findall(r"[\w']+", before)
    near = words[-(REACH + 1) :]
    pairs = [" ".join(p) for p in pairwise(near)]
    return any(_NEGATION.fullmatch(w) for w in (*near, *pairs))
