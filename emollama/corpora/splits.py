"""Splits that never cut through a speaker: named ones, k-fold by group, leave one group out.

Clips of one person in both training and test teach a model the person, not the emotion; every
function here gives whole groups away, and `require_whole_groups` checks any split for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from emollama.errors import EmollamaError, did_you_mean
from emollama.sample import Sample


@dataclass(frozen=True)
class NamedSplit:
    """Actors of RAVDESS to test and to validate on; every other actor is for training."""

    test: frozenset[int]
    val: frozenset[int]

    def of(self, actor: int) -> str:
        """The split of an actor's clips: "train", "val" or "test"."""
        return "test" if actor in self.test else "val" if actor in self.val else "train"


RAVDESS_SPLITS: dict[str, NamedSplit] = {
    # Two men (odd) and two women in each test, one of each to validate on. The tests share no
    # actor with each other, and no actor validated on is tested in another split: settings chosen
    # on one split have seen no test of the three. Actors 05, 12, 17 and 22 are left for training.
    "ravdess-a": NamedSplit(frozenset({3, 9, 14, 20}), frozenset({13, 2})),
    "ravdess-b": NamedSplit(frozenset({1, 7, 4, 16}), frozenset({15, 8})),
    "ravdess-c": NamedSplit(frozenset({11, 19, 6, 24}), frozenset({21, 18})),
}


def ravdess_split(name: str) -> NamedSplit:
    """The named split; an unknown name is an `EmollamaError`."""
    if name not in RAVDESS_SPLITS:
        raise EmollamaError(f"split '{name}' is unknown{did_you_mean(name, RAVDESS_SPLITS)}")
    return RAVDESS_SPLITS[name]


def k_fold(samples: Sequence[Sample], fold: int, folds: int = 5, seed: int = 0) -> dict[str, str]:
    """{id: "train" or "test"} for fold `fold` of `folds`, whole groups, labels balanced.

    The same samples and seed give the same folds, whatever the order of the samples. Over all
    folds each sample is tested once.

    Raises:
        EmollamaError: a sample without group or emotion, fewer groups than folds, no such fold.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    ordered = sorted(samples, key=lambda s: s.id)
    groups = _groups(ordered)
    count = len(set(groups))
    if folds < 2:
        raise EmollamaError(f"folds must be at least 2, not {folds}")
    if count < folds:
        raise EmollamaError(f"{folds} folds need at least {folds} groups; there are {count}")
    if not 0 <= fold < folds:
        raise EmollamaError(f"fold {fold} does not exist; there are 0 to {folds - 1}")
    emotions: list[str] = []
    for sample in ordered:
        if sample.targets.emotion is None:
            raise EmollamaError(f"sample '{sample.id}' has no emotion to balance the folds by")
        emotions.append(sample.targets.emotion)
    folding = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    parts = list(folding.split(emotions, emotions, groups))
    if any(not len(test) for _, test in parts):
        raise EmollamaError(f"{folds} folds of {count} groups leave a fold empty; ask for fewer")
    test = set(parts[fold][1].tolist())
    split = {s.id: "test" if i in test else "train" for i, s in enumerate(ordered)}
    require_whole_groups(ordered, split)
    return split


def leave_one_group_out(samples: Sequence[Sample], group: str) -> dict[str, str]:
    """{id: split} with `group` as the test and everybody else for training.

    Raises:
        EmollamaError: a sample without group, an unknown group, or no other group to train on.
    """
    groups = _groups(samples)
    if group not in groups:
        raise EmollamaError(f"group '{group}' has no samples{did_you_mean(group, set(groups))}")
    if len(set(groups)) == 1:
        raise EmollamaError(f"group '{group}' is the only one; nothing is left to train on")
    split = {s.id: "test" if s.group == group else "train" for s in samples}
    require_whole_groups(samples, split)
    return split


def require_whole_groups(samples: Iterable[Sample], split: Mapping[str, str | None]) -> None:
    """Raise an `EmollamaError` naming the first group that `split` cuts in two.

    Samples without a group are each a group of their own.
    """
    seen: dict[str, tuple[str | None, str]] = {}
    for sample in samples:
        if sample.group is None:
            continue
        mine = split.get(sample.id)
        theirs, first = seen.setdefault(sample.group, (mine, sample.id))
        if mine != theirs:
            raise EmollamaError(
                f"group '{sample.group}' is cut: '{first}' is in split '{theirs or '(none)'}', "
                f"'{sample.id}' in '{mine or '(none)'}'; a group must stay in one split"
            )


def with_split(samples: Iterable[Sample], split: Mapping[str, str]) -> tuple[Sample, ...]:
    """The samples with their `split` set from {id: split}; an id without one is an error."""
    changed = []
    for sample in samples:
        if sample.id not in split:
            raise EmollamaError(f"sample '{sample.id}' has no split")
        changed.append(sample.model_copy(update={"split": split[sample.id]}))
    return tuple(changed)


def _groups(samples: Sequence[Sample]) -> list[str]:
    if not samples:
        raise EmollamaError("there are no samples to split")
    groups: list[str] = []
    for sample in samples:
        if sample.group is None:
            raise EmollamaError(f"sample '{sample.id}' has no group to split by")
        groups.append(sample.group)
    return groups
