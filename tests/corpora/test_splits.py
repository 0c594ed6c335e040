"""Splits by group: nobody is on both sides, and the named ones are what they are called."""

from __future__ import annotations

from itertools import combinations

import pytest

from emollama.base.errors import EmollamaError
from emollama.corpora.splits import (
    RAVDESS_SPLITS,
    k_fold,
    leave_one_group_out,
    random_split,
    ravdess_split,
    require_whole_groups,
    with_split,
)
from emollama.manifest.sample import Sample, Targets

TWENTY = {1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16, 18, 19, 20, 21, 23, 24}


def corpus(groups: int = 7, each: int = 8) -> list[Sample]:
    return [
        Sample(id=f"{g}-{i}", group=f"g{g}", targets=Targets(emotion="ab"[i % 2]))
        for g in range(groups)
        for i in range(each)
    ]


def test_named_splits_are_disjoint_balanced_and_among_the_twenty() -> None:
    assert RAVDESS_SPLITS["ravdess-a"].test == {3, 9, 14, 20}
    for split in RAVDESS_SPLITS.values():
        assert split.test | split.val <= TWENTY
        assert len(split.test) == 4 and sum(a % 2 for a in split.test) == 2
        assert len(split.val) == 2 and sum(a % 2 for a in split.val) == 1
        assert sum(split.of(a) == "train" for a in TWENTY) == 14
        assert {split.of(a) for a in (5, 12, 17, 22)} == {"train"}
    for one, two in combinations(RAVDESS_SPLITS.values(), 2):
        assert not one.test & two.test
    tested = frozenset().union(*(s.test for s in RAVDESS_SPLITS.values()))
    assert not any(tested & s.val for s in RAVDESS_SPLITS.values())
    with pytest.raises(EmollamaError, match="'ravdess-d' is unknown; did you mean 'ravdess-"):
        ravdess_split("ravdess-d")


def test_folds_keep_groups_whole_and_test_everything_once() -> None:
    samples = corpus()
    tested: list[str] = []
    for fold in range(3):
        split = k_fold(samples, fold, 3, seed=5)
        assert split == k_fold(samples[::-1], fold, 3, seed=5)
        assert split.keys() == {s.id for s in samples}
        require_whole_groups(samples, split)
        tested += [i for i, name in split.items() if name == "test"]
    assert sorted(tested) == sorted(s.id for s in samples)
    assert any(k_fold(samples, 0, 3, seed=5) != k_fold(samples, 0, 3, seed=s) for s in range(5))


def test_leave_one_group_out() -> None:
    split = leave_one_group_out(corpus(), "g3")
    assert {i for i, name in split.items() if name == "test"} == {f"3-{i}" for i in range(8)}
    assert [s.split for s in with_split(corpus()[:1], split)] == ["train"]


def test_a_cut_group_is_named() -> None:
    samples = corpus(2, 2)
    split = {"0-0": "train", "0-1": "train", "1-0": "train", "1-1": "test"}
    with pytest.raises(
        EmollamaError, match="group 'g1' is in several splits: '1-0' is in split 'train', '1-1'"
    ):
        require_whole_groups(samples, split)


def test_random_shares_are_as_near_to_80_10_10_as_labels_allow() -> None:
    def shares(count: int, seed: int = 0) -> tuple[int, ...]:
        big = [Sample(id=f"b{i}", targets=Targets(emotion="b")) for i in range(10)]
        small = [Sample(id=f"a{i}", targets=Targets(emotion="a")) for i in range(count)]
        split = random_split([*small, *big], seed)
        return tuple(
            sum(p == name and i[0] == "a" for i, p in split.items())
            for name in ("train", "val", "test")
        )

    counts = (1, 2, 9, 10, 19, 100)
    assert [shares(n) for n in counts] == [
        (1, 0, 0), (2, 0, 0), (7, 1, 1), (8, 1, 1), (15, 2, 2), (80, 10, 10),
    ]  # fmt: skip
    assert {shares(15, seed) for seed in range(12)} == {(12, 2, 1), (12, 1, 2)}
    with pytest.raises(EmollamaError, match="80/10/10 leaves a split empty"):
        random_split([Sample(id=f"{i}", targets=Targets(emotion="a")) for i in range(3)])


def test_what_cannot_be_split_is_said() -> None:
    alone = [Sample(id="x")]
    for call, message in (
        (lambda: k_fold(corpus(2), 0, 3), "3 folds need at least 3 groups; there are 2"),
        (lambda: k_fold(corpus(), 3, 3), "fold 3 does not exist; there are 0 to 2"),
        (lambda: k_fold(corpus(), 0, 1), "folds must be at least 2"),
        (lambda: k_fold(alone, 0, 2), "'x' has no group"),
        (lambda: k_fold([], 0, 2), "no samples"),
        (lambda: leave_one_group_out(corpus(), "g9"), "'g9' has no samples; known: g0, g1"),
        (lambda: leave_one_group_out(corpus(1), "g0"), "the only one"),
        (lambda: with_split(alone, {}), "'x' has no split"),
    ):
        with pytest.raises(EmollamaError, match=message):
            call()
