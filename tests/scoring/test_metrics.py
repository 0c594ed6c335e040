from __future__ import annotations

import random

import numpy as np
import pytest
from sklearn import metrics as sk

from emollama.base.errors import EmollamaError
from emollama.manifest.labels import LabelSet
from emollama.scoring.metrics.bootstrap import resample, two_sided_p
from emollama.scoring.metrics.label_scores import (
    confusion_matrix,
    label_cases,
    per_class,
    probability_cases,
    reliability,
)
from emollama.scoring.metrics.registry import COMPARED
from emollama.scoring.metrics.scores import evaluate, paired_difference
from emollama.scoring.predictions.prediction import Prediction

from .made import MER2023, from_confusion, random_predictions

# The confusion matrix that Emotion-LLaMA released with its MER2023 result, and the scores printed
# under it.
RELEASED = [
    [179, 1, 2, 1, 0, 0],
    [2, 152, 7, 4, 3, 1],
    [10, 10, 134, 6, 2, 4],
    [2, 2, 1, 250, 0, 2],
    [1, 0, 3, 1, 6, 3],
    [4, 1, 3, 2, 1, 34],
]
ALPHABETICAL = LabelSet("mer2023", ("angry", "happy", "neutral", "sad", "surprise", "worried"))


def test_released_mer2023_result():
    predictions = from_confusion(RELEASED, ALPHABETICAL.labels)
    scores = evaluate(predictions, ALPHABETICAL, resamples=200)
    assert scores["weighted_f1"].value == pytest.approx(0.90358, abs=5e-6)
    assert scores["accuracy"].value == pytest.approx(0.9053, abs=5e-5)
    classes = per_class(label_cases(predictions, ALPHABETICAL), ALPHABETICAL, resamples=10)
    n = sum(c.support for c in classes)
    assert sum(c.precision * c.support for c in classes) / n == pytest.approx(0.9036, abs=5e-5)
    assert scores["weighted_f1"].n_scored == n == 834
    assert scores["weighted_f1"].ci_low < 0.90358 < scores["weighted_f1"].ci_high
    assert scores["nll"].value is None and scores["nll"].n_scored == 0


def _sklearn(reference: list[str], answer: list[str]) -> dict[str, float]:
    present = sorted(set(reference))
    return {
        "weighted_f1": sk.f1_score(
            reference, answer, labels=present, average="weighted", zero_division=0
        ),
        "accuracy": sk.accuracy_score(reference, answer),
        "uar": sk.recall_score(reference, answer, labels=present, average="macro"),
        "macro_f1": sk.f1_score(
            reference, answer, labels=present, average="macro", zero_division=0
        ),
    }


@pytest.mark.parametrize("seed", range(5))
def test_point_values_equal_sklearn(seed):
    # The last label never occurs as a reference: the stated convention for absent classes.
    labels = LabelSet("seven", (*MER2023.labels, "absent"))
    predictions = random_predictions(80, MER2023, seed, unparsed=0.15)
    predictions = [
        p.model_copy(
            update={"scores": None, "label": "absent" if i % 9 == 0 and p.label else p.label}
        )
        for i, p in enumerate(predictions)
    ]
    expected = _sklearn(
        [p.reference for p in predictions], [p.label or "unparsed" for p in predictions]
    )
    scores = evaluate(predictions, labels, resamples=2)
    for name, value in expected.items():
        assert scores[name].value == pytest.approx(value, abs=1e-12), name
    assert per_class(label_cases(predictions, labels), labels, resamples=2)[-1].recall is None


def test_vectorised_bootstrap_equals_a_loop_over_sklearn():
    predictions = random_predictions(40, seed=3, unparsed=0.1)
    cases = label_cases(predictions, MER2023)
    rows = sorted(predictions, key=lambda p: p.id)
    weights = resample(lambda w: w, np.arange(40), resamples=50, seed=7).astype(int)
    assert (weights.sum(1) == 40).all()
    by_loop = []
    for row in weights:
        drawn = [rows[i] for i in np.repeat(np.arange(40), row)]
        reference = [p.reference for p in drawn]
        loop = _sklearn(reference, [p.label or "unparsed" for p in drawn])
        by_loop.append([loop[name] for name in COMPARED])
    low, high = np.quantile(by_loop, [0.025, 0.975], axis=0)
    scores = evaluate(predictions, MER2023, resamples=50, seed=7)
    assert cases.failures == {"two labels": scores["uar"].parse_failures}
    for k, name in enumerate(COMPARED):
        assert scores[name].ci_low == pytest.approx(low[k], abs=1e-12)
        assert scores[name].ci_high == pytest.approx(high[k], abs=1e-12)


def test_order_of_rows_changes_nothing():
    predictions = random_predictions(100)
    shuffled = random.Random(1).sample(predictions, len(predictions))
    assert evaluate(predictions, MER2023) == evaluate(shuffled, MER2023)
    one, two = (per_class(label_cases(p, MER2023), MER2023) for p in (predictions, shuffled))
    assert one == two


def test_a_parse_failure_counts_as_wrong_and_as_no_label():
    predictions = from_confusion([[10, 0, 0], [0, 10, 0]], ("neutral", "sad"))
    labels = LabelSet("two", ("neutral", "sad"))
    first = next(p for p in predictions if p.reference == "neutral")
    failed = [
        p.model_copy(update={"label": None, "parse_failure": "empty"}) if p is first else p
        for p in predictions
    ]
    scores = evaluate(failed, labels, resamples=10)
    assert scores["accuracy"].value == 0.95 and scores["uar"].value == 0.95
    assert scores["accuracy"].n_scored == scores["accuracy"].n_total == 20
    assert scores["accuracy"].parse_failures == 1
    assert confusion_matrix(label_cases(failed, labels)).tolist() == [[9, 0, 1], [0, 10, 0]]
    neutral, sad = per_class(label_cases(failed, labels), labels, resamples=10)
    assert (neutral.precision, neutral.recall, sad.precision) == (1.0, 0.9, 1.0)
    unknown = [*failed, Prediction(id="x", label="sad")]
    assert evaluate(unknown, labels, resamples=10)["accuracy"].n_total == 21


def test_probability_metrics_by_hand():
    labels = LabelSet("two", ("sad", "happy"))

    def row(i: int, reference: str, sad: float) -> Prediction:
        label = "sad" if sad > 0.5 else "happy"
        scores = {"sad": sad, "happy": 1 - sad}
        return Prediction(id=str(i), reference=reference, label=label, scores=scores)

    rows = [row(0, "sad", 0.9), row(1, "sad", 0.9), row(2, "happy", 0.9), row(3, "happy", 0.3)]
    scores = evaluate(rows, labels, resamples=10)
    nll = -np.mean(np.log([0.9, 0.9, 0.1, 0.7]))
    assert scores["nll"].value == pytest.approx(nll)
    assert scores["brier"].value == pytest.approx(2 * np.mean([0.01, 0.01, 0.81, 0.09]))
    assert scores["ece"].value == pytest.approx((3 * abs(2 / 3 - 0.9) + abs(1 - 0.7)) / 4)
    filled = [b for b in reliability(probability_cases(rows, labels)) if b.count]
    assert [(b.count, round(b.accuracy, 3)) for b in filled] == [(1, 1.0), (3, 0.667)]
    certain = row(9, "happy", 1.0)
    assert np.isfinite(evaluate([certain], labels, resamples=2)["nll"].value)


def test_interval_covers_the_truth_about_as_often_as_it_says():
    covered = 0
    rng = np.random.default_rng(0)
    labels = LabelSet("two", ("sad", "happy"))
    for trial in range(120):
        hits = int((rng.random(100) < 0.7).sum())
        rows = from_confusion([[hits, 100 - hits], [0, 0]], labels.labels)
        score = evaluate(rows, labels, resamples=300, seed=trial)["accuracy"]
        covered += score.ci_low <= 0.7 <= score.ci_high
    assert 0.88 <= covered / 120 <= 1.0


def test_groups_are_drawn_whole():
    # Everything inside a group is the same, so the group interval must be the wider one.
    rows = [
        Prediction(
            id=f"{g}-{i}",
            reference="sad",
            label="sad" if g % 3 else "happy",
            group=f"g{g}",
        )
        for g in range(12)
        for i in range(20)
    ]
    by_sample = evaluate(rows, MER2023)["accuracy"]
    by_group = evaluate(rows, MER2023, by="group")["accuracy"]
    assert by_sample.value == by_group.value
    width = by_sample.ci_high - by_sample.ci_low
    assert by_group.ci_high - by_group.ci_low > 3 * width
    alone = [*rows, Prediction(id="x", reference="sad", label="sad")]
    with pytest.raises(EmollamaError, match="id 'x' has no group"):
        evaluate(alone, MER2023, by="group")


def test_paired_difference():
    good, bad = random_predictions(300, right=0.8), random_predictions(300, right=0.3)
    bad = [b.model_copy(update={"reference": g.reference}) for g, b in zip(good, bad, strict=True)]
    found = paired_difference(good, bad, "weighted_f1", MER2023)
    point = [evaluate(x, MER2023, resamples=2)["weighted_f1"].value for x in (good, bad)]
    assert found.value == pytest.approx(point[0] - point[1])
    assert 0 < found.ci_low < found.value < found.ci_high and found.p == pytest.approx(2 / 1001)
    assert found.n == 300
    back = paired_difference(bad, good, "weighted_f1", MER2023)
    assert (back.value, back.ci_low) == pytest.approx((-found.value, -found.ci_high))
    same = paired_difference(good, good, "uar", MER2023)
    assert (same.value, same.ci_low, same.ci_high, same.p) == (0, 0, 0, 1)
    # Pairing matters: two systems that err on the same clips differ by less than they would alone.
    nearly = [
        p.model_copy(update={"label": p.reference, "parse_failure": None}) if i < 9 else p
        for i, p in enumerate(good)
    ]
    gain = paired_difference(nearly, good, "accuracy", MER2023)
    alone = evaluate(good, MER2023)["accuracy"]
    assert gain.ci_high - gain.ci_low < (alone.ci_high - alone.ci_low) / 2
    assert paired_difference(good[:50], good[40:], "uar", MER2023).n == 10


def test_mistakes_are_one_line():
    rows = random_predictions(5)
    with pytest.raises(EmollamaError, match="did you mean 'weighted_f1'"):
        paired_difference(rows, rows, "weightedf1", MER2023)
    with pytest.raises(EmollamaError, match="no scored sample in common"):
        paired_difference(rows[:2], rows[2:], "uar", MER2023)
    with pytest.raises(EmollamaError, match="'clip0000' occurs twice"):
        evaluate([*rows, *rows], MER2023)
    other = [p.model_copy(update={"reference": "sad"}) for p in rows]
    with pytest.raises(EmollamaError, match="in one set of predictions and 'sad' in the other"):
        paired_difference(rows, other, "uar", MER2023)
    with pytest.raises(EmollamaError, match="not in label set"):
        evaluate(rows, LabelSet("one", ("sad",)))


def test_two_sided_p():
    rng = np.random.default_rng(0)
    assert two_sided_p(rng.normal(0, 1, 999)) > 0.8
    assert two_sided_p(rng.normal(5, 1, 999)) == pytest.approx(0.002)


def test_nothing_to_score_is_none_not_nan():
    scores = evaluate([Prediction(id="a", label="sad")], MER2023)
    assert all(s.value is None and s.n_total == 1 and s.n_scored == 0 for s in scores.values())
