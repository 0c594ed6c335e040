"""Are the clues that a reason cites really in the clip, and is the label that it names the clip's?

For each clip the set of clues found in the reason is compared with the set that the clip really
holds (what was rendered, or measured). The same reasons assigned to other clips are the control:
a reason that would fit any clip scores as well there, and is not faithful.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Unpack

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.scoring.metrics.bootstrap import Draws
from emollama.scoring.metrics.formulas import overlap_of
from emollama.scoring.metrics.measure import Difference, Score, mean_difference, mean_score

CluesIn = Callable[[str], Collection[str]]


@dataclass(frozen=True)
class ClueScores:
    """Means over clips of precision, recall and F1 of cited against rendered clues."""

    precision: Score
    recall: Score
    f1: Score


@dataclass(frozen=True)
class Faithfulness:
    """Clue scores of the reasons, of the same reasons shuffled, and the paired difference of F1.

    `without_clue` counts reasons in which no clue was found (they score 0).
    """

    own: ClueScores
    shuffled: ClueScores
    difference: Difference
    without_clue: int


@dataclass(frozen=True)
class LabelNaming:
    """Shares of reasons that name the clip's label: of the reasons, and of the same shuffled.

    `only` is the share of reasons that name it and no other label.
    """

    own: Score
    shuffled: Score
    difference: Difference
    only: Score


def label_naming(
    named: Mapping[str, Collection[str]],
    references: Mapping[str, str],
    groups: Mapping[str, str | None] | None = None,
    **draws: Unpack[Draws],
) -> LabelNaming:
    """Do reasons name the label of their own clip, or would they name it for any clip?

    Args:
        named: the labels that a reason names, by id.
        references: the true label, by id.
        groups: of the clips, where whole groups may be drawn.
        draws: the seed is the derangement's, too.

    Raises:
        EmollamaError: fewer than two reasons of clips with a label.
    """
    ids = sorted(i for i in named if i in references)
    if len(ids) < 2:
        raise EmollamaError(f"label naming needs at least two reasons; there are {len(ids)}")
    drawn = None if groups is None else [groups[i] for i in ids]
    order = derangement(len(ids), draws.get("seed", 0))
    own = np.array([float(references[i] in named[i]) for i in ids])
    moved = np.array(
        [float(references[i] in named[ids[k]]) for i, k in zip(ids, order, strict=True)]
    )
    only = np.array([float(set(named[i]) == {references[i]}) for i in ids])

    def score(values: np.ndarray) -> Score:
        return mean_score(values, len(references), groups=drawn, **draws)

    return LabelNaming(
        own=score(own),
        shuffled=score(moved),
        difference=mean_difference(own, moved, drawn, **draws),
        only=score(only),
    )


def clue_faithfulness(
    reasons: Mapping[str, str],
    rendered: Mapping[str, Collection[str]],
    clues_in: CluesIn,
    groups: Mapping[str, str | None] | None = None,
    **draws: Unpack[Draws],
) -> Faithfulness:
    """Score reasons by id against the clues that each clip holds.

    Clips without a reason or without a rendered clue are left out (`n_scored` of `n_total`); a
    reason that cites nothing scores 0 in all three.

    Args:
        reasons: text by id.
        rendered: the clues that a clip holds, by id.
        clues_in: the clues that a text names, in the same vocabulary.
        groups: of the clips, where whole groups may be drawn.
        draws: the seed is the derangement's, too.

    Raises:
        EmollamaError: fewer than two clips can be scored, so that there is nothing to shuffle.
    """
    ids = sorted(i for i in reasons if rendered.get(i))
    if len(ids) < 2:
        raise EmollamaError(
            "faithfulness needs at least two clips with a reason and rendered clues; "
            f"there are {len(ids)}"
        )
    held = [set(rendered[i]) for i in ids]
    cited = [set(clues_in(reasons[i])) for i in ids]
    own = _overlap(cited, held)
    moved = _overlap([cited[k] for k in derangement(len(ids), draws.get("seed", 0))], held)
    total = len(rendered)
    drawn = None if groups is None else [groups[i] for i in ids]

    def scores(values: np.ndarray) -> ClueScores:
        return ClueScores(*(mean_score(v, total, groups=drawn, **draws) for v in values.T))

    return Faithfulness(
        own=scores(own),
        shuffled=scores(moved),
        difference=mean_difference(own[:, 2], moved[:, 2], drawn, **draws),
        without_clue=sum(not found for found in cited),
    )


def derangement(n: int, seed: int) -> np.ndarray:
    """A permutation of 0..n-1 that leaves nothing in its place (one random cycle; Sattolo 1986)."""
    rng = np.random.default_rng(seed)
    order = np.arange(n)
    for i in range(n - 1, 0, -1):
        j = int(rng.integers(0, i))
        order[i], order[j] = order[j], order[i]
    return order


def _overlap(cited: list[set[str]], held: list[set[str]]) -> np.ndarray:
    """Precision, recall and F1 [n, 3]; 0 where nothing is cited."""
    return np.array([overlap_of(true, found) for found, true in zip(cited, held, strict=True)])
