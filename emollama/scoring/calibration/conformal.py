"""Conformal sets: the labels that a clip may show, so that the true one is among them.

Split conformal prediction (Vovk et al., 2005): how odd the true label looked on clips of known
truth decides how odd a label of a new clip may look. Clips of one person are alike, so what is
exchangeable are people, not clips: every person weighs the same (Lee, Barber & Willett, 2023).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from emollama.base.errors import EmollamaError

Oddness = Literal["simple", "adaptive"]
"""How odd a label is: 1 - p, or the summed probability of all likelier labels (Romano et al.,
2020, without the label's own part)."""
ODDNESSES: tuple[Oddness, ...] = get_args(Oddness)
COVERAGE = 0.9
"""The share of clips whose set is to hold the true label, unless another is asked for."""
_ROUNDING = 1e-9


def require_coverage(coverage: float) -> float:
    """`coverage` when it is a share between 0 and 1, else an `EmollamaError`."""
    if not 0 < coverage < 1:
        raise EmollamaError(
            f"coverage must be between 0 and 1, e.g. 0.9 for nine clips of ten, not {coverage:g}"
        )
    return coverage


def percent(coverage: float) -> str:
    """'90%'."""
    return f"{100 * coverage:g}%"


def oddness(probabilities: np.ndarray, kind: Oddness) -> np.ndarray:
    """How odd each label is, [n, K] of probabilities [n, K]; equally likely labels are equal."""
    if kind == "simple":
        return 1 - probabilities
    likelier = probabilities[:, None, :] > probabilities[:, :, None]
    return np.asarray((probabilities[:, None, :] * likelier).sum(axis=2))


def people_needed(coverage: float) -> int:
    """The fewest people from which sets are promised to cover a new person's clips: 18 for 0.9.

    With half as many a promise could be kept, but only by sets as wide as the oddest clip of all.
    """
    return math.ceil(2 * coverage / (1 - coverage) - _ROUNDING)


def threshold(people: Sequence[Sequence[float]], coverage: float) -> float:
    """The highest oddness of a label in a set; a lower coverage never gives larger sets.

    With enough people it is the quantile at `coverage` of all oddnesses, where each of P people has
    the weight 1 / (P + 1), spread evenly over the clips, and the last 1 / (P + 1) is of a person
    who is odder than all: a clip of a new person is covered with at least that probability. With
    fewer it is the highest of the people's own conformal quantiles: the sets are wide enough for
    P of P + 1 people.

    Args:
        people: of each person the oddness of the true label of every clip, at least one.
        coverage: see `require_coverage`.
    """
    if len(people) >= people_needed(coverage):
        return _quantile_over_people(people, coverage)
    highest = len(people) / (len(people) + 2)  # the highest coverage that so many can promise
    own = max(_own_quantile(sorted(clips), coverage) for clips in people)
    return max(own, _quantile_over_people(people, highest))


def _quantile_over_people(people: Sequence[Sequence[float]], coverage: float) -> float:
    odd = np.concatenate([np.asarray(clips, float) for clips in people])
    weights = np.concatenate([np.full(len(clips), 1 / len(clips)) for clips in people])
    order = np.argsort(odd, kind="stable")
    reached = np.cumsum(weights[order]) / (len(people) + 1)
    return float(odd[order][int(np.searchsorted(reached, coverage - _ROUNDING))])


def _own_quantile(clips: Sequence[float], coverage: float) -> float:
    """Of n clips in order the ceil((n + 1) coverage)-th, or the last where there are too few."""
    place = math.ceil((len(clips) + 1) * coverage - _ROUNDING)
    return float(clips[min(place, len(clips)) - 1])


def label_sets(probabilities: np.ndarray, kind: Oddness, limit: float) -> np.ndarray:
    """The labels of each clip's set, bool [n, K]; the likeliest one is always in it."""
    found = oddness(probabilities, kind) <= limit + _ROUNDING
    found[np.arange(len(found)), probabilities.argmax(axis=1)] = True
    return found


def undecided(sets: np.ndarray) -> np.ndarray:
    """Whether a set, a row of bool [n, K], holds more than half of the labels: bool [n]."""
    return np.asarray(2 * sets.sum(axis=1) > sets.shape[1])
