"""The referee: do the channels of a clip contradict each other, and how well is that noticed?

Each channel answers alone. Were these answers of the emotion that the channel shows, and the
channels independent, two channels with label scores p and q would show different emotions with
probability 1 - sum(p * q); the largest over all pairs is a clip's conflict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Unpack

import numpy as np

from emollama.scoring.metrics.bootstrap import Draws
from emollama.scoring.metrics.formulas import mean
from emollama.scoring.metrics.measure import Measure, Score, Statistic, scored
from emollama.scoring.metrics.ranking import roc_auc
from emollama.scoring.predictions.prediction import Prediction

COVERAGE = 0.8
"""Share of the answers, the surest first, that `Referee.covered` is about."""


@dataclass(frozen=True)
class Referee:
    """How a system's channels alone serve to notice conflicts.

    Attributes:
        detection: area under the ROC curve of the conflict for clips whose channels show different
            emotions, against clips whose channels show one.
        agreeing: accuracy on clips whose channels show one emotion; `conflicting` on the others.
        covered: accuracy of the surest answers, `COVERAGE` of all; `all` of all.
    """

    detection: Score
    agreeing: Score
    conflicting: Score
    covered: Score
    all: Score


def conflict(scores: Sequence[Mapping[str, float]]) -> float | None:
    """Conflict of a clip, 0..1, from the label scores of two or more channels; else None."""
    pairs = combinations(scores, 2)
    found = [1.0 - sum(p[label] * q[label] for label in p) for p, q in pairs]
    return min(1.0, max(0.0, max(found))) if found else None


def followed(label: str | None, alone: Mapping[str, str]) -> tuple[str, ...]:
    """The channels that alone give the label of the answer."""
    return tuple(channel for channel, said in alone.items() if said == label)


def referee(
    whole: Sequence[Prediction],
    singles: Sequence[Sequence[Prediction]],
    **draws: Unpack[Draws],
) -> Referee | None:
    """Measure a system; None where no clip tells what each of its channels shows.

    A channel that a clip lacks has no say: asked alone, a model answers its prior. Clips with fewer
    than two channels are left out.

    Args:
        whole: answers from all channels, with scores.
        singles: answers of each channel alone.
        draws: see `Draws`.
    """
    said = {(r.id, r.channels): r.scores for rows in singles for r in rows if r.scores}
    rows = [
        row
        for row in sorted(whole, key=lambda r: r.id)
        if row.scores and row.reference and len(row.given) > 1
        and all(c in (row.truth or ()) and (row.id, (c,)) in said for c in row.given)
    ]  # fmt: skip
    conflicts = np.array([conflict([said[r.id, (c,)] for c in r.given]) for r in rows], float)
    clash = np.array([len({(r.truth or {})[c] for c in r.given}) > 1 for r in rows], bool)
    if clash.all() or not clash.any():
        return None
    right = np.array([float(r.label == r.reference) for r in rows])
    certainty = np.array([max((r.scores or {}).values()) for r in rows])
    every = np.ones(len(rows), bool)

    def score(among: np.ndarray, statistic: Statistic) -> Score:
        kept = tuple(row for row, taken in zip(rows, among, strict=True) if taken)
        return scored(Measure(kept, statistic, len(whole)), **draws)

    def accuracy(among: np.ndarray) -> Score:
        return score(among, lambda w: mean(right[among], w))

    return Referee(
        detection=score(every, lambda w: roc_auc(clash, conflicts, w)),
        agreeing=accuracy(~clash),
        conflicting=accuracy(clash),
        covered=accuracy(certainty >= np.quantile(certainty, 1 - COVERAGE)),
        all=accuracy(every),
    )
