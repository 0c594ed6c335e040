"""Twins: do reasons, and the label, follow the one cue in which two clips differ?

A pair is two clips that are the same but for one cue. Clues that one of them holds and the other
does not have changed. A reason follows the change where it mentions a new clue, or drops a lost
one; it is specific as far as it says the same of everything else. The reasons of one pair assigned
to another are the control. A clip whose twin was not answered (it cannot be read, or only some
clips were drawn) is left out, and its pair counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Unpack

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.scoring.metrics.bootstrap import Draws
from emollama.scoring.metrics.faithfulness import CluesIn, derangement
from emollama.scoring.metrics.measure import Difference, Groups, Score, mean_difference, mean_score
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.predictions.systems import JOINT, OF_REASONS

Pair = tuple[Prediction, Prediction]


@dataclass(frozen=True)
class Following:
    """Whether reasons follow a change: `recall` is the share of pairs whose change is mentioned or
    its mention dropped; `specificity` the mean over pairs of mentions of all other clues that both
    reasons share, over those that either has (1 where neither has any).
    """

    recall: Score
    specificity: Score


@dataclass(frozen=True)
class Twins:
    """How a system's reasons and labels answer to changes of one cue.

    Attributes:
        reasons: by system, of those that give reasons of two pairs or more.
        shuffled: of the first system's reasons, assigned to other pairs.
        difference: of the first system's `recall`, own minus shuffled.
        kinds: the first system's recall by what differs in the pair.
        labels: by system, the share of pairs whose two labels differ.
        label_difference: of these shares, the first system's minus the regression's.
    """

    reasons: dict[str, Following]
    shuffled: Following | None
    difference: Difference | None
    kinds: dict[str, Score]
    labels: dict[str, Score]
    label_difference: Difference | None = None


def twins(
    systems: Mapping[str, Sequence[Prediction]],
    clues_in: CluesIn | None,
    **draws: Unpack[Draws],
) -> Twins | None:
    """Score pairs; None where the rows of no system hold any.

    Args:
        systems: rows by system, of one set of channels; the first is the one that is evaluated.
        clues_in: the clues that a text names.
        draws: whole groups are drawn where `by` says so; a pair is one sample.

    Raises:
        EmollamaError: a pair of more than two clips.
    """
    counted = {system: _pairs(rows) for system, rows in systems.items()}
    found = {system: pairs for system, (pairs, _) in counted.items()}
    totals = {system: total for system, (_, total) in counted.items()}
    if not any(found.values()):
        return None
    reasons = {}
    shuffled = difference = None
    kinds: dict[str, Score] = {}
    for system, pairs in found.items():
        told = [p for p in pairs if all(r.reason is not None and r.clues for r in p)]
        if clues_in is None or len(told) < 2:
            continue
        groups = [pair[0].group for pair in told]
        held = [tuple(set(r.clues or ()) for r in pair) for pair in told]
        named = [tuple(set(clues_in(r.reason or "")) for r in pair) for pair in told]
        values = _followed(held, named)
        reasons[system] = _following(values, totals[system], groups, **draws)
        if system == next(iter(found)):
            order = derangement(len(told), draws.get("seed", 0))
            moved = _followed(held, [named[k] for k in order])
            shuffled = _following(moved, totals[system], groups, **draws)
            difference = mean_difference(values[:, 0], moved[:, 0], groups, **draws)
            kinds = _by_kind(told, values[:, 0], groups, **draws)
    labels = {}
    for system, pairs in found.items():
        answered = [pair for pair in pairs if all(r.label is not None for r in pair)]
        if answered and system not in OF_REASONS:  # whose labels are the first system's
            drawn = [pair[0].group for pair in answered]
            labels[system] = mean_score(_changed(answered), totals[system], groups=drawn, **draws)
    against = _label_difference(next(iter(found.values())), found.get(JOINT, []), **draws)
    return Twins(reasons, shuffled, difference, kinds, labels, against)


def _changed(pairs: Sequence[Pair]) -> np.ndarray:
    return np.array([float(a.label != b.label) for a, b in pairs])


def _label_difference(
    own: Sequence[Pair], theirs: Sequence[Pair], **draws: Unpack[Draws]
) -> Difference | None:
    """Over the pairs whose clips both systems answer; None without any."""
    answered = [
        {pair[0].id: pair for pair in pairs if all(r.label is not None for r in pair)}
        for pairs in (own, theirs)
    ]
    both = sorted(answered[0].keys() & answered[1].keys())
    if own is theirs or not both:
        return None
    a, b = ([pairs[i] for i in both] for pairs in answered)
    return mean_difference(_changed(a), _changed(b), [p[0].group for p in a], **draws)


def _following(values: np.ndarray, total: int, groups: Groups, **draws: Unpack[Draws]) -> Following:
    return Following(*(mean_score(v, total, groups=groups, **draws) for v in values.T))


def _by_kind(
    pairs: Sequence[Pair],
    recalls: np.ndarray,
    groups: Sequence[str | None],
    **draws: Unpack[Draws],
) -> dict[str, Score]:
    """Mean recall by what differs."""
    kinds = [_kind(pair) for pair in pairs]
    found = {}
    for kind in sorted(set(kinds)):
        taken = [k for k, its in enumerate(kinds) if its == kind]
        its = [groups[k] for k in taken]
        found[kind] = mean_score(recalls[taken], len(taken), groups=its, **draws)
    return found


def _pairs(rows: Sequence[Prediction]) -> tuple[list[Pair], int]:
    """The clips of each pair in order of id, and the number of pairs with those of one clip."""
    by_pair: dict[str, list[Prediction]] = defaultdict(list)
    for row in sorted(rows, key=lambda r: r.id):
        if row.pair is not None:
            by_pair[row.pair].append(row)
    pairs = []
    for name, clips in sorted(by_pair.items()):
        if len(clips) > 2:
            raise EmollamaError(f"pair '{name}' has {len(clips)} clips; it is of two")
        if len(clips) == 2:
            pairs.append((clips[0], clips[1]))
    return pairs, len(by_pair)


def _kind(pair: Pair) -> str:
    """What differs; action units count as one kind."""
    differs = pair[0].differs or "unknown"
    return "action unit" if differs.startswith("AU") else differs


def _followed(
    held: Sequence[tuple[set[str], ...]], named: Sequence[tuple[set[str], ...]]
) -> np.ndarray:
    """Recall and specificity [n, 2] of each pair."""
    values = np.empty((len(held), 2))
    for k, ((a, b), (told_a, told_b)) in enumerate(zip(held, named, strict=True)):
        new, lost = b - a, a - b
        rest_a, rest_b = (told - new - lost for told in (told_a, told_b))
        either = rest_a | rest_b
        values[k, 0] = bool(new & (told_b - told_a) or lost & (told_a - told_b))
        values[k, 1] = len(rest_a & rest_b) / len(either) if either else 1.0
    return values
