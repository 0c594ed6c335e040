"""A reward that can be checked: is a reason right about its clip, and no more than that?

It is a function of the text, the clip's clues and its label; no model judges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from emollama.llm.training.methods.phrases import (
    affirmed,
    clues_named,
    concluded,
    phrases_in,
    words_of,
)
from emollama.scoring.metrics.formulas import overlap_of
from emollama.scoring.reasons.sentences import adjective

WEIGHTS: Mapping[str, float] = {"clues": 0.4, "true": 0.3, "label": 0.2, "form": 0.1}
"""Parts of the reward; together 1."""

_WORDS = range(12, 71)
_MOST_PHRASES = 0.5  # of a reason's words, so many may be of phrases: more are a list
_LEAST_DISTINCT = 0.6  # of its triples of words, so many must be different


@dataclass(frozen=True)
class Reward:
    """What a reason earns, each part 0 to 1.

    Attributes:
        clues: F1 of the clues that it names without denying them, against the clip's.
        true: share of these clues that are in the clip; 0 where it names none.
        label: whether its last sentence names the clip's label, and no other.
        form: whether it ended by itself with a full stop, has 12 to 70 words, is no list of clues,
            repeats neither them nor itself, and denies none.
    """

    clues: float
    true: float
    label: float
    form: float

    @property
    def total(self) -> float:
        """The weighted sum."""
        return sum(weight * getattr(self, name) for name, weight in WEIGHTS.items())


def label_words(labels: tuple[str, ...]) -> dict[str, str]:
    """Word to label: each label and its adjective."""
    return {adjective(label): label for label in labels} | {label: label for label in labels}


def reward(
    text: str, ended: bool, clues: frozenset[str], label: str, words: Mapping[str, str]
) -> Reward:
    """The reward of a reason.

    Args:
        text: the reason.
        ended: whether it ended by itself.
        clues: of the clip.
        label: of the clip.
        words: from `label_words`.
    """
    named = clues_named(affirmed(text))
    precision, _, f1 = overlap_of(set(clues), set(named))
    form = ended and text.endswith(".") and _is_prose(text) and named == clues_named(text)
    return Reward(float(f1), float(precision), float(concluded(text, words) == label), float(form))


def _is_prose(text: str) -> bool:
    words, phrases, named = words_of(text), phrases_in(text), clues_named(text)
    if len(words) not in _WORDS or len(named) != len(set(named)):
        return False
    triples = list(zip(words, words[1:], words[2:], strict=False))
    return sum(map(len, phrases)) <= _MOST_PHRASES * len(words) and len(
        set(triples)
    ) >= _LEAST_DISTINCT * len(triples)
