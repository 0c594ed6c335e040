"""Clues that a reason names and the clip does not hold: how many, and what is wrong with them.

Shares are of all clues that the reasons name, so that they add up; intervals are over clips.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Unpack

import numpy as np

from emollama.manifest.channels import Channel
from emollama.scoring.metrics.bootstrap import Draws
from emollama.scoring.metrics.faithfulness import CluesIn, derangement
from emollama.scoring.metrics.measure import Measure, Score, in_order, scored_together
from emollama.scoring.predictions.prediction import Prediction


@dataclass(frozen=True)
class Vocabulary:
    """The clues of a corpus: those that a text names, the channel of each, and its opposite."""

    named_in: CluesIn
    channel: Callable[[str], Channel]
    opposite: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Hallucinated:
    """Shares of the named clues.

    Attributes:
        all: not in the clip; the sum of the others.
        absent: of a channel that the clip lacks, whatever was rendered for it.
        unit: an action unit that is not there.
        opposite: the clip holds the opposite clue.
        other: the rest, e.g. another kind of sentence, or a high pitch where pitch is ordinary.
    """

    all: Score
    absent: Score
    unit: Score
    opposite: Score
    other: Score


@dataclass(frozen=True)
class Hallucination:
    """Of the reasons, and of the same reasons shuffled."""

    own: Hallucinated
    shuffled: Hallucinated


_KINDS = ("absent", "unit", "opposite", "other")


def hallucination(
    rows: Sequence[Prediction], vocabulary: Vocabulary, **draws: Unpack[Draws]
) -> Hallucination | None:
    """Score rows with a reason and the clip's clues; None where there are fewer than two."""
    told = [r for r in in_order(rows) if r.reason is not None and r.clues]
    if len(told) < 2:
        return None
    named = [set(vocabulary.named_in(r.reason or "")) for r in told]
    order = derangement(len(told), draws.get("seed", 0))

    def shares(named: Sequence[set[str]]) -> Hallucinated:
        counts = np.array([_counted(r, c, vocabulary) for r, c in zip(told, named, strict=True)])
        total = np.array([len(clues) for clues in named], float)

        def measure(wrong: np.ndarray) -> Measure:
            return Measure(tuple(told), lambda w: _ratio(w, wrong, total), len(rows))

        parts = {kind: measure(counts[:, k]) for k, kind in enumerate(_KINDS)}
        found = scored_together({"all": measure(counts.sum(1)), **parts}, **draws)
        return Hallucinated(**found)

    return Hallucination(shares(named), shares([named[k] for k in order]))


def _ratio(weights: np.ndarray, part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Weighted sum of `part` over that of `whole` [R]; NaN where nothing is named."""
    below = weights @ whole
    return np.where(below > 0, weights @ part / np.where(below > 0, below, 1), np.nan)


def _counted(row: Prediction, named: set[str], vocabulary: Vocabulary) -> list[float]:
    """The named clues that the clip does not hold, by `_KINDS`."""
    held = set(row.clues or ())
    counts = dict.fromkeys(_KINDS, 0.0)
    for clue in named:
        if vocabulary.channel(clue) not in row.given:
            counts["absent"] += 1
        elif clue in held:
            continue
        elif clue.startswith("AU"):
            counts["unit"] += 1
        else:
            opposed = vocabulary.opposite.get(clue) in held
            counts["opposite" if opposed else "other"] += 1
    return list(counts.values())
