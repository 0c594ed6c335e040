"""Splits that keep speakers whole: named ones, k-fold by group, leave one group out.

Clips of one person in both training and test teach a model the person, not the emotion. Functions
here keep groups whole unless they say otherwise, and `require_whole_groups` checks any split.
"""

from __future__ import annotations

import hashlib
import random
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.manifest.sample import Sample


@dataclass(frozen=True)
class NamedSplit:
    """RAVDESS actors for test and validation; all other actors are for training."""

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


def k_fold(
    samples: Sequence[Sample],
    fold: int,
    folds: int = 5,
    seed: int = 0,
    *,
    validate: bool = False,
    whole_groups: bool = True,
) -> dict[str, str]:
    """{id: "train", "val" or "test"} for fold `fold` of `folds`, labels balanced.

    The same samples and seed give the same folds, whatever the order of the samples. Over all
    folds each sample is tested once. Labels are emotions, or the sign of the sentiment.

    Args:
        samples: all of the corpus.
        fold: the fold to test, from 0.
        folds: number of folds.
        seed: of the folds.
        validate: the next fold is "val" (the first one after the last); needs three folds.
        whole_groups: keep groups whole; otherwise groups are ignored and may be cut.

    Raises:
        EmollamaError: no samples, a sample without a group where groups are kept whole, fewer
            groups than folds, or no such fold.
    """
    ordered = sorted(samples, key=lambda s: s.id)
    groups = _groups(ordered) if whole_groups else [s.id for s in ordered]
    count, what = len(set(groups)), "groups" if whole_groups else "samples"
    fewest = 3 if validate else 2
    if folds < fewest:
        raise EmollamaError(f"folds must be at least {fewest}, not {folds}")
    if count < folds:
        raise EmollamaError(f"{folds} folds need at least {folds} {what}; there are {count}")
    if not 0 <= fold < folds:
        raise EmollamaError(f"fold {fold} does not exist; there are 0 to {folds - 1}")
    parts = _folds(ordered, groups, folds, seed)
    if not all(parts):
        raise EmollamaError(f"{folds} folds of {count} {what} leave a fold empty; use fewer folds")
    names = dict.fromkeys(parts[fold], "test")
    if validate:
        names |= dict.fromkeys(parts[(fold + 1) % folds], "val")
    split = {s.id: names.get(i, "train") for i, s in enumerate(ordered)}
    if whole_groups:
        require_whole_groups(ordered, split)
    return split


def _folds(
    ordered: Sequence[Sample], groups: Sequence[str], folds: int, seed: int
) -> list[list[int]]:
    """Positions of the samples of each fold."""
    from sklearn.model_selection import StratifiedGroupKFold

    labels = [stratum(s) for s in ordered]
    folding = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A label with fewer samples than folds is balanced as far as it goes.
        warnings.simplefilter("ignore")
        # So that it is not refused where every label is that rare, they are one then.
        if max(map(labels.count, set(labels))) < folds:
            labels = [""] * len(labels)
        return [test.tolist() for _, test in folding.split(labels, labels, groups)]


def by_id_hash(samples: Sequence[Sample], fold: int, folds: int = 5) -> dict[str, str]:
    """{id: "test" or "train"}: an id is tested if its SHA-256 modulo `folds` is `fold`.

    For corpora without groups: a sample's split never depends on the other samples.

    Raises:
        EmollamaError: fewer than two folds, or no such fold.
    """
    if folds < 2:
        raise EmollamaError(f"folds must be at least 2, not {folds}")
    if not 0 <= fold < folds:
        raise EmollamaError(f"fold {fold} does not exist; there are 0 to {folds - 1}")

    def side(name: str) -> str:
        digest = hashlib.sha256(name.encode()).digest()
        return "test" if int.from_bytes(digest, "big") % folds == fold else "train"

    return {s.id: side(s.id) for s in samples}


def leave_one_group_out(
    samples: Sequence[Sample], group: str, validated: str | None = None
) -> dict[str, str]:
    """{id: split} with `group` as the test, `validated` as "val" and all others for training.

    Raises:
        EmollamaError: a sample without group, an unknown group, or no other group to train on.
    """
    groups = _groups(samples)
    for name in (group, validated or group):
        if name not in groups:
            raise EmollamaError(f"group '{name}' has no samples{did_you_mean(name, set(groups))}")
    if validated == group:
        raise EmollamaError(f"group '{group}' cannot be both for validation and for test")
    if set(groups) <= {group, validated}:
        only = "is the only one" if validated is None else f"and '{validated}' are the only ones"
        raise EmollamaError(f"group '{group}' {only}; nothing is left to train on")
    names = {group: "test", validated: "val"}
    split = {s.id: names.get(s.group, "train") for s in samples}
    require_whole_groups(samples, split)
    return split


def random_split(samples: Sequence[Sample], seed: int = 0) -> dict[str, str]:
    """{id: split} at random, 80 % train, 10 % test and 10 % val of each label.

    This is common in papers without an official split. Groups are cut: scores are on known
    speakers. Samples left after rounding a label's shares down go to the largest remainders, ties
    decided by the seed: 19 samples become 15, 2 and 2, nine become 7, 1 and 1, and a single one is
    for training.

    Raises:
        EmollamaError: too few samples of every label: a split would be empty.
    """
    by_label: dict[str, list[str]] = {}
    for sample in samples:
        by_label.setdefault(stratum(sample), []).append(sample.id)
    split: dict[str, str] = {}
    for label, ids in sorted(by_label.items()):
        ids.sort()
        draw = random.Random(f"{seed}:{label}")
        draw.shuffle(ids)
        left = iter(ids)
        for name, count in _shares(len(ids), draw).items():
            split |= dict.fromkeys(islice(left, count), name)
    if len(set(split.values())) < len(_TENTHS):
        raise EmollamaError("80/10/10 leaves a split empty: no label has enough samples")
    return split


_TENTHS = {"train": 8, "test": 1, "val": 1}


def _shares(count: int, draw: random.Random) -> dict[str, int]:
    """The number of `count` samples for each split of `_TENTHS`, by largest remainder."""
    shares = {name: count * tenths // 10 for name, tenths in _TENTHS.items()}
    order = sorted(_TENTHS, key=lambda name: (-(count * _TENTHS[name] % 10), draw.random()))
    for name in order[: count - sum(shares.values())]:
        shares[name] += 1
    return shares


def stratum(sample: Sample) -> str:
    """The value that splits are balanced by.

    The emotion, else the label with most votes, else those shown at once, else the sign of the
    sentiment, else those of valence and arousal; "" where there is no target.
    """
    targets = sample.targets
    if targets.emotion is not None:
        return targets.emotion
    if targets.votes:
        return max(sorted(targets.votes), key=targets.votes.__getitem__)
    if targets.emotions is not None:
        return "+".join(sorted(x for x, y in targets.emotions.items() if y > 0)) or "none"
    if targets.sentiment is not None:
        return _sign(targets.sentiment)
    return "".join(_sign(v) for v in (targets.valence, targets.arousal) if v is not None)


def _sign(value: float) -> str:
    return "+" if value > 0 else "-" if value < 0 else "0"


def require_whole_groups(samples: Iterable[Sample], split: Mapping[str, str | None]) -> None:
    """Raise an `EmollamaError` naming the first group that `split` cuts in two.

    A sample without a group is a group of its own.
    """
    seen: dict[str, tuple[str | None, str]] = {}
    for sample in samples:
        if sample.group is None:
            continue
        mine = split.get(sample.id)
        theirs, first = seen.setdefault(sample.group, (mine, sample.id))
        if mine != theirs:
            raise EmollamaError(
                f"group '{sample.group}' is in several splits: '{first}' is in split "
                f"'{theirs or '(none)'}', '{sample.id}' in "
                f"'{mine or '(none)'}'; a group must stay in one split"
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
