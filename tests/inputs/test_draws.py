"""The order of an epoch: a function of seed, epoch and ids, with the share of each corpus."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from emollama.inputs.draws import Balance, EpochOrders, balanced_order, epoch_order

IDS = [f"large/{i}" for i in range(40)] + [f"small/{i}" for i in range(8)]
CORPORA = [i.partition("/")[0] for i in IDS]
EVEN = Balance(CORPORA, {"large": 1, "small": 1})


def test_one_corpus_has_the_order_that_it_always_had() -> None:
    orders = EpochOrders(7, IDS)
    for epoch in (0, 3, 0):
        assert orders[epoch] == epoch_order(7, epoch, IDS)
        assert orders.repeats(epoch) == [0] * len(IDS)
    # What a hash of the id gives, and no other release may change.
    assert epoch_order(7, 0, ["a", "b", "c", "d"]) == [3, 2, 0, 1]


def test_a_small_corpus_is_repeated_and_a_large_one_drawn_anew() -> None:
    assert EVEN.counts() == {"large": 24, "small": 24}
    orders = EpochOrders(7, IDS, EVEN)
    first, second = orders[0], orders[1]
    assert sorted(Counter(CORPORA[i] for i in first).values()) == [24, 24]
    # Three times each, one after another in number; of the large one 24 of 40, another part each
    # epoch.
    times = Counter(i for i in first if CORPORA[i] == "small")
    assert set(times.values()) == {3} and len(times) == 8
    large = [{i for i in order if CORPORA[i] == "large"} for order in (first, second)]
    assert len(large[0]) == len(large[1]) == 24 and large[0] != large[1]
    assert set(orders.repeats(0)) == {0, 1, 2}
    places = list(zip(orders[0], orders.repeats(0), strict=True))
    assert len(set(places)) == len(places) == len(IDS)
    # Neither corpus gathers at the beginning.
    assert 6 <= sum(CORPORA[i] == "small" for i in first[:24]) <= 18


@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    shares=st.lists(st.floats(0.05, 20), min_size=4, max_size=4),
    epoch=st.integers(0, 5),
)
def test_shares_hold_and_the_order_of_the_manifest_does_not_matter(
    sizes: list[int], shares: list[float], epoch: int
) -> None:
    ids = [f"{c}/{i}" for c, size in enumerate(sizes) for i in range(size)]
    parts = [i.partition("/")[0] for i in ids]
    given_shares = {str(c): share for c, share in enumerate(shares)}
    balance = Balance(parts, given_shares)
    order = balanced_order(3, epoch, ids, balance)
    assert len(order) == len(ids)
    counts = Counter(parts[i] for i, _ in order)
    whole = sum(given_shares[c] for c in set(parts))
    for name in set(parts):
        assert abs(counts[name] - len(ids) * given_shares[name] / whole) < 1
    mirrored = balanced_order(3, epoch, ids[::-1], Balance(parts[::-1], given_shares))
    named = [(ids[i], r) for i, r in order]
    assert named == [(ids[::-1][i], r) for i, r in mirrored]
