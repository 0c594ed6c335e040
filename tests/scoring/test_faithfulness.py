from __future__ import annotations

import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.scoring.metrics.faithfulness import clue_faithfulness, derangement, label_naming

CLUES = ("smile", "frown", "loud", "quiet", "fast", "slow", "high", "low")


def clues_in(text: str) -> set[str]:
    return {c for c in CLUES if c in text.split()}


def test_true_reasons_beat_the_same_reasons_shuffled():
    rng = np.random.default_rng(0)
    rendered, reasons = {}, {}
    for i in range(60):
        held = rng.choice(CLUES, size=3, replace=False).tolist()
        rendered[f"c{i}"] = held
        reasons[f"c{i}"] = f"I notice {held[0]} and {held[1]} and {rng.choice(CLUES)}"
    found = clue_faithfulness(reasons, rendered, clues_in)
    assert found.own.f1.value > 0.7 and 0.2 < found.shuffled.f1.value < 0.5
    assert found.difference.ci_low > 0.2 and found.difference.p < 0.01
    assert found.difference.value == pytest.approx(found.own.f1.value - found.shuffled.f1.value)
    assert found == clue_faithfulness(dict(reversed(reasons.items())), rendered, clues_in), (
        "order of rows must not matter"
    )
    # One text for every clip: nothing is lost by shuffling, whatever its own score is.
    same = clue_faithfulness(dict.fromkeys(reasons, "smile loud"), rendered, clues_in)
    assert same.difference.value == 0 and same.difference.p == 1


def test_by_hand():
    reasons = {"a": "smile loud", "b": "nothing", "c": "smile"}
    rendered = {"a": ["smile", "frown", "high"], "b": ["low"], "d": ["low"], "c": []}
    found = clue_faithfulness(reasons, rendered, clues_in, resamples=50)
    assert found.own.precision.value == pytest.approx(1 / 4)
    assert found.own.recall.value == pytest.approx(1 / 6)
    assert found.own.f1.value == pytest.approx(2 / 5 / 2)
    assert (found.own.f1.n_scored, found.own.f1.n_total, found.without_clue) == (2, 4, 1)
    with pytest.raises(EmollamaError, match="at least two clips"):
        clue_faithfulness({"a": "smile"}, rendered, clues_in)


def test_labels_named_by_hand():
    named = {"a": {"sad"}, "b": {"happy", "sad"}, "c": {"sad"}, "e": set()}
    found = label_naming(named, {"a": "sad", "b": "happy", "c": "angry", "d": "sad", "e": "sad"})
    assert found.own.value == pytest.approx(2 / 4) and found.only.value == pytest.approx(1 / 4)
    assert (found.own.n_scored, found.own.n_total) == (4, 5)
    # Every reason names every label: right for its own clip, and as right for any other.
    every = dict.fromkeys("abc", ("sad", "happy", "angry"))
    told = label_naming(every, {"a": "sad", "b": "happy", "c": "angry"})
    assert told.own.value == told.shuffled.value == 1 and told.only.value == 0
    # One label each, all distinct: assigned to other clips none is right.
    apart = label_naming({"a": {"sad"}, "b": {"happy"}}, {"a": "sad", "b": "happy"})
    assert apart.difference.value == 1 and apart.shuffled.value == 0
    with pytest.raises(EmollamaError, match="at least two reasons"):
        label_naming({"a": {"sad"}}, {"a": "sad"})


def test_whole_groups_are_drawn_where_they_are_asked_for():
    named = {f"{g}-{i}": {"sad" if g % 2 else "happy"} for g in range(8) for i in range(10)}
    references = dict.fromkeys(named, "sad")
    groups = {name: name[0] for name in named}
    one, two = (label_naming(named, references, groups, by=by).own for by in ("sample", "group"))
    assert one.value == two.value == 0.5
    assert two.ci_high - two.ci_low > 2 * (one.ci_high - one.ci_low)


@pytest.mark.parametrize("n", [2, 3, 10, 101])
def test_derangement_moves_everything(n):
    order = derangement(n, seed=n)
    assert sorted(order) == list(range(n)) and (order != np.arange(n)).all()
    assert (derangement(n, seed=n) == order).all()
