"""MER2024-OV over stored groups, preferences in both orders, folds in several files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.scoring.metrics.preference import ORDER_DECIDES, PREFERENCE, order_averaged
from emollama.scoring.metrics.synonyms import merged_overlap, read_groups
from emollama.scoring.predictions.pooling import pooled
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.predictions.predictions import Header, Predictions

from .made import MER2023, random_predictions


def test_sets_overlap_after_synonyms_are_merged(tmp_path: Path) -> None:
    rows = [
        Prediction(id="a", reference_words=("Glad", "hurt"), words=("happy", "merry", "calm")),
        Prediction(id="b", reference_words=("sad",), parse_failure="no words"),
        Prediction(id="c", reference_words=("sad",), words=("sad",)),
    ]
    np.save(tmp_path / "a.npy", "[['glad', 'happy', \"merry\"], ['hurt']]")
    np.save(tmp_path / "b.npy", "[]")
    groups = read_groups(tmp_path)
    # a: {glad, hurt} against {glad, calm}; b: nothing; c has no groups and is left out.
    measure = merged_overlap(rows, groups, "accuracy")
    assert measure.value() == pytest.approx((1 / 2 + 0) / 2)
    assert merged_overlap(rows, groups, "recall").value() == pytest.approx(1 / 4)
    assert merged_overlap(rows, groups, "mean").value() == pytest.approx(1 / 4)
    assert measure.failures == {"no groups of synonyms": 1, "no words": 1}
    assert (len(measure.rows), measure.n_total) == (2, 3)
    path = tmp_path / "groups.json"
    path.write_text(json.dumps({"a": [["Glad", "happy"]]}))
    assert read_groups(path) == {"a": [["glad", "happy"]]}


def test_groups_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(EmollamaError, match=r"holds no <name>\.npy"):
        read_groups(tmp_path)
    path = tmp_path / "g.json"
    for text, message in (("[]", "must hold an object"), ('{"a": ["x"]}', "'a': must be a list")):
        path.write_text(text)
        with pytest.raises(EmollamaError, match=message):
            read_groups(path)
    np.save(tmp_path / "a.npy", np.array({"x": 1}, dtype=object), allow_pickle=True)
    with pytest.raises(EmollamaError, match="is not an array of text"):
        read_groups(tmp_path)


def preferences(*answers: tuple[str | None, float | None]) -> Predictions:
    rows = tuple(
        Prediction(
            id=str(i), reference="a1", label=label, parse_failure=None if label else "odd",
            scores=None if p is None else {"a1": p, "a2": 1 - p},
        )
        for i, (label, p) in enumerate(answers)
    )  # fmt: skip
    return Predictions(Header(labels=PREFERENCE), rows)


def test_both_orders_make_one_answer() -> None:
    given = preferences(("a1", None), ("a1", None), (None, None), ("a1", 0.75), ("a1", 0.75))
    swapped = preferences(("a2", None), ("a1", None), ("a1", None), ("a1", 0.75), ("a1", 1.0))
    rows = order_averaged(given, swapped).rows
    assert [r.label for r in rows] == ["a1", None, None, None, "a2"]
    assert [r.parse_failure for r in rows] == [None, ORDER_DECIDES, "odd", ORDER_DECIDES, None]
    assert rows[4].scores == {"a1": 0.375, "a2": 0.625}
    with pytest.raises(EmollamaError, match="has no '1'"):
        order_averaged(given, preferences(("a1", None)))
    emotions = Predictions(Header(labels=MER2023), given.rows)
    with pytest.raises(EmollamaError, match="needs the same two labels"):
        order_averaged(emotions, swapped)


def test_several_files_are_folds() -> None:
    header = Header(labels=MER2023)
    rows = random_predictions(40)
    one, two = Predictions(header, tuple(rows[:10])), Predictions(header, tuple(rows[10:]))
    assert pooled([one]) is one
    both = pooled([one, two])
    assert [r.fold for r in both.rows] == ["1"] * 10 + ["2"] * 30
    with pytest.raises(EmollamaError, match="'clip0000' is also in"):
        pooled([one, one])
    with pytest.raises(EmollamaError, match="its labels differ"):
        pooled([one, Predictions(Header(labels=PREFERENCE), two.rows)])
