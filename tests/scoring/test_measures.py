"""Regression, several labels, folds and MER2023's score, against scikit-learn and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from emollama.base.errors import EmollamaError
from emollama.manifest.labels import LabelSet
from emollama.scoring.metrics.context import Context
from emollama.scoring.metrics.continuous import concordance
from emollama.scoring.metrics.formulas import uar
from emollama.scoring.metrics.label_scores import fold_mean, mer2023_combined
from emollama.scoring.metrics.measure import Measure, paired, scored
from emollama.scoring.metrics.multilabel import fit_thresholds
from emollama.scoring.metrics.ranking import average_precision, roc_auc
from emollama.scoring.metrics.registry import METRICS
from emollama.scoring.metrics.scores import evaluate
from emollama.scoring.predictions.prediction import Prediction

from .made import MER2023, random_predictions

RNG = np.random.default_rng(0)


def measured(
    name: str,
    rows: list[Prediction],
    labels: LabelSet = MER2023,
    thresholds: dict[str, float] | None = None,
) -> Measure:
    return METRICS[name].build(rows, Context(labels, thresholds=thresholds))


def sentiments(n: int = 200) -> tuple[list[Prediction], np.ndarray, np.ndarray]:
    y = np.round(RNG.uniform(-3, 3, n) * 3) / 3
    y[:20] = 0
    x = np.clip(y + RNG.normal(0, 1.2, n), -3.6, 3.6)
    x[5:9], x[20:24] = 0, (2.5, -2.5, 0.5, 1.5)
    rows = [
        Prediction(id=f"{i:03d}", values={"sentiment": a}, reference_values={"sentiment": b})
        for i, (a, b) in enumerate(zip(x.tolist(), y.tolist(), strict=True))
    ]
    return rows, x, y


def test_sentiment_equals_sklearn_and_scipy() -> None:
    rows, x, y = sentiments()
    some = y != 0
    f1 = {"average": "weighted"}
    expected = {
        "acc2_nonneg": (measured("acc2_nonneg", rows), ((x >= 0) == (y >= 0)).mean()),
        "f1_nonneg": (
            measured("f1_nonneg", rows),
            sk.f1_score(y >= 0, x >= 0, **f1),
        ),
        "acc2_pos": (
            measured("acc2_pos", rows),
            sk.accuracy_score(y[some] > 0, x[some] > 0),
        ),
        "f1_pos": (
            measured("f1_pos", rows),
            sk.f1_score(y[some] > 0, x[some] > 0, **f1),
        ),
        "acc5": (
            measured("acc5", rows),
            np.mean(np.round(x.clip(-2, 2)) == np.round(y.clip(-2, 2))),
        ),
        "acc3": (
            measured("acc3", rows),
            np.mean(np.round(x.clip(-1, 1)) == np.round(y.clip(-1, 1))),
        ),
        "acc7": (
            measured("acc7", rows),
            np.mean(np.round(x.clip(-3, 3)) == np.round(y.clip(-3, 3))),
        ),
        "mae": (measured("mae", rows), sk.mean_absolute_error(y, x)),
        "pearson": (measured("pearson", rows), stats.pearsonr(x, y).statistic),
    }
    for name, (measure, value) in expected.items():
        assert measure.value() == pytest.approx(value, abs=1e-12), name
    assert len(measured("acc2_pos", rows).rows) == some.sum()
    lost = [rows[0].model_copy(update={"values": None, "parse_failure": "no number"}), *rows[1:]]
    measure = measured("mae", lost)
    assert (len(measure.rows), measure.n_total, measure.failures) == (199, 200, {"no number": 1})


def test_a_clip_without_an_answer_counts_where_its_publisher_counts_it() -> None:
    told = [(-1.0, 0.0), (1.0, 1.0), (-2.0, None), (2.0, None), (0.0, 1.0)]
    rows = [
        Prediction(
            id=str(i), reference_values={"sentiment": y},
            values={"sentiment": x} if x is not None else None,
        )
        for i, (y, x) in enumerate(told)
    ]  # fmt: skip
    ours, theirs, v2 = (
        measured(f"acc2_{name}", rows) for name in ("pos", "affectgpt", "emotion_llama_v2")
    )
    assert (ours.value(), len(ours.rows), theirs.value(), len(theirs.rows)) == (1, 2, 0.75, 4)
    assert v2.value() == 0.25 and ours.failures == theirs.failures == {"no answer": 2}


def test_macro_f1_over_truth_or_answers_is_sklearns_own() -> None:
    for seed in range(4):
        rows = random_predictions(30, seed=seed, unparsed=0)
        truth, said = ([getattr(r, n) for r in rows] for n in ("reference", "label"))
        kept = [r for r in rows if r.reference in ("sad", "happy")]
        pairs = [([r.reference for r in kept], [r.label for r in kept]), (truth, said)]
        for (one, two), some in zip(pairs, (kept, rows), strict=True):
            expected = sk.f1_score(one, two, average="macro", zero_division=0)
            found = measured("macro_f1_union", some).value()
            assert found == pytest.approx(expected, abs=1e-12)
    assert found != measured("macro_f1", kept).value()


def test_sims_cuts_belong_below() -> None:
    pairs = [(0.1, 0.05), (0.11, 0.1), (-0.1, -0.5), (-0.7, -0.9), (0.7, 0.2), (0.0, -1.0)]
    rows = [
        Prediction(id=str(i), values={"sentiment": x}, reference_values={"sentiment": y})
        for i, (x, y) in enumerate(pairs)
    ]
    assert measured("sims_acc3", rows).value() == pytest.approx(4 / 6)
    assert measured("sims_acc5", rows).value() == pytest.approx(4 / 6)
    assert measured("sims_acc2", rows).value() == 1


def test_ccc_is_over_all_frames_of_all_clips() -> None:
    clips = []
    for i, n in enumerate((5, 40, 12)):
        y = RNG.normal(i, 1, (2, n))
        x = y * 0.7 + RNG.normal(0.3, 0.5, (2, n))
        clips.append((x, y))
    rows = [
        Prediction(
            id=f"v{i}",
            values={"valence": tuple(x[0]), "arousal": tuple(x[1])},
            reference_values={"valence": tuple(y[0]), "arousal": tuple(y[1])},
        )
        for i, (x, y) in enumerate(clips)
    ]

    def lin(x: np.ndarray, y: np.ndarray) -> float:
        cov = np.cov(x, y, ddof=0)
        return 2 * cov[0, 1] / (cov[0, 0] + cov[1, 1] + (x.mean() - y.mean()) ** 2)

    x, y = (np.concatenate([c[k] for c in clips], axis=1) for k in (0, 1))
    expected = [lin(x[k], y[k]) for k in (0, 1)]
    assert concordance(rows, "valence").value() == pytest.approx(expected[0], abs=1e-12)
    both = concordance(rows, "valence", "arousal")
    assert both.value() == pytest.approx(np.mean(expected), abs=1e-12)
    assert both.detail["frames"] == 57 and both.detail["arousal"] == pytest.approx(expected[1])
    # Far from zero the sums must not lose their digits.
    far = [
        r.model_copy(
            update={
                side: {"valence": tuple(v + 1e6 for v in getattr(r, side)["valence"])}
                for side in ("values", "reference_values")
            }
        )
        for r in rows
    ]
    assert concordance(far, "valence").value() == pytest.approx(expected[0], abs=1e-6)
    same = [Prediction(id="a", values={"valence": 1.0}, reference_values={"valence": 1.0})]
    assert concordance(same, "valence").value() is None


def test_regression_far_from_zero_and_without_spread() -> None:
    for seed in range(40):
        draw = np.random.default_rng(seed)
        n, far = int(draw.integers(3, 60)), 10 ** draw.uniform(-3, 5)
        y = draw.normal(far, 1, n)
        x = y * 0.5 + draw.normal(far, 1, n)
        rows = [
            Prediction(id=f"{i:02d}", values={"sentiment": a}, reference_values={"sentiment": b})
            for i, (a, b) in enumerate(zip(x.tolist(), y.tolist(), strict=True))
        ]
        cov = np.cov(x, y, ddof=0)
        lin = 2 * cov[0, 1] / (cov[0, 0] + cov[1, 1] + (x.mean() - y.mean()) ** 2)
        assert measured("pearson", rows).value() == pytest.approx(
            stats.pearsonr(x, y).statistic, abs=1e-9
        )
        assert concordance(rows, "sentiment").value() == pytest.approx(lin, abs=1e-9)
        flat = [r.model_copy(update={"values": {"sentiment": float(x[0])}}) for r in rows]
        assert (
            measured("pearson", flat).value() is None
            and concordance(flat, "sentiment").value() == 0
        )


def several(n: int = 120, seed: int = 0) -> tuple[list[Prediction], np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.random((n, 6)) < 0.3
    truth[:, 5] = False  # a label that no row shows
    truth[0] = False
    scores = np.round(np.clip(truth * 0.3 + rng.random((n, 6)) * 0.7, 0, 1), 2)
    rows = [
        Prediction(
            id=f"{i:03d}",
            reference_labels=tuple(x for x, t in zip(MER2023.labels, truth[i], strict=True) if t),
            label_scores=dict(zip(MER2023.labels, scores[i].tolist(), strict=True)),
        )
        for i in range(n)
    ]
    return rows, truth, scores


def test_several_labels_equal_sklearn() -> None:
    rows, truth, scores = several()
    answer = scores >= 0.5
    for name, average in (
        ("micro_f1", "micro"), ("macro_f1_multilabel", "macro"), ("samples_f1", "samples"),
    ):  # fmt: skip
        expected = sk.f1_score(truth, answer, average=average, zero_division=0)
        assert measured(name, rows).value() == pytest.approx(expected, abs=1e-12)
    expected = sk.jaccard_score(truth, answer, average="samples", zero_division=0)
    assert measured("jaccard", rows).value() == pytest.approx(expected, abs=1e-12)
    shown = truth[:, :5], scores[:, :5]
    found = measured("map", rows)
    assert found.value() == pytest.approx(sk.average_precision_score(*shown), abs=1e-12)
    assert found.note == "undefined for surprise"
    auc = measured("auc", rows).value()
    assert auc == pytest.approx(sk.roc_auc_score(*shown), abs=1e-12)


def test_ranking_at_weights_equals_sklearn() -> None:
    truth, scores = RNG.random(60) < 0.4, np.round(RNG.random(60), 1)
    weights = RNG.integers(0, 4, (5, 60)).astype(float)
    ap, auc = average_precision(truth, scores, weights), roc_auc(truth, scores, weights)
    for k, w in enumerate(weights):
        assert ap[k] == pytest.approx(sk.average_precision_score(truth, scores, sample_weight=w))
        assert auc[k] == pytest.approx(sk.roc_auc_score(truth, scores, sample_weight=w))
    none = average_precision(truth, scores, np.where(truth, 0.0, 1.0)[None])
    assert np.isnan(none).all()


def test_thresholds_are_fitted_on_other_rows_and_are_the_best_there() -> None:
    held, truth, scores = several(seed=1)
    fitted = fit_thresholds(held, MER2023)
    for k, label in enumerate(MER2023.labels[:5]):
        f1 = [sk.f1_score(truth[:, k], scores[:, k] >= t) for t in np.unique(scores[:, k])]
        at = sk.f1_score(truth[:, k], scores[:, k] >= fitted[label])
        assert at == pytest.approx(max(f1)), label
    assert fitted["surprise"] == 0.5
    rows = several()[0]
    tuned = measured("micro_f1", rows, thresholds=fitted)
    assert tuned.detail["thresholds"] == fitted
    assert tuned.value() != measured("micro_f1", rows).value()
    with pytest.raises(EmollamaError, match="none has both"):
        fit_thresholds([Prediction(id="a", reference_labels=())], MER2023)


def test_an_answer_of_no_kind_is_an_empty_set_and_counted() -> None:
    rows = [
        Prediction(id="a", reference_labels=("sad",), labels=("sad", "angry")),
        Prediction(id="b", reference_labels=("sad",), parse_failure="empty"),
    ]
    measure = measured("jaccard", rows)
    assert measure.value() == 0.25 and measure.failures == {"empty": 1}


def test_label_metric_is_the_reports_own_number() -> None:
    rows = random_predictions(80)
    for name, score in evaluate(rows, MER2023, resamples=100, seed=3).items():
        if name in ("weighted_f1", "uar"):
            found = scored(measured(name, rows), resamples=100, seed=3)
            assert (found.value, found.ci_low, found.ci_high) == (
                score.value, score.ci_low, score.ci_high,
            )  # fmt: skip


def test_mean_over_folds_and_pooled() -> None:
    rows = [
        r.model_copy(update={"fold": "1" if i < 20 else "2"})
        for i, r in enumerate(random_predictions(100, unparsed=0))
    ]
    measure = fold_mean(rows, MER2023, uar)
    parts = [
        sk.balanced_accuracy_score([r.reference for r in p], [r.label for r in p])
        for p in (rows[:20], rows[20:])
    ]
    assert measure.value() == pytest.approx(np.mean(parts))
    assert [f["n"] for f in measure.detail["folds"]] == [20, 80]  # type: ignore[attr-defined]
    with pytest.raises(EmollamaError, match="has no fold"):
        fold_mean([*rows, Prediction(id="z", reference="sad", label="sad")], MER2023, uar)
    with pytest.raises(EmollamaError, match="a mean over folds needs at least two"):
        fold_mean(rows[:20], MER2023, uar)


def test_the_released_system_reads_failures_as_neutral() -> None:
    rows = random_predictions(80, unparsed=0.3)
    expected = sk.f1_score(
        [r.reference for r in rows], [r.label or "neutral" for r in rows],
        labels=list(MER2023.labels), average="weighted",
    )  # fmt: skip
    measure = measured("weighted_f1_upstream", rows)
    assert measure.value() == pytest.approx(expected, abs=1e-12)
    assert set(measure.failures) == {"two labels"} and "count as neutral" in measure.note
    with pytest.raises(EmollamaError, match="'neutral' is not in label set"):
        measured("weighted_f1_upstream", rows, LabelSet("two", ("sad", "happy")))


def test_mer2023_combined() -> None:
    rows = []
    for i, r in enumerate(random_predictions(60, unparsed=0.1)):
        truth, answer = RNG.uniform(-5, 5), RNG.uniform(-5, 5)
        values = {"valence": answer} if i else None
        rows.append(r.model_copy(update={"values": values, "reference_values": {"valence": truth}}))
    errors = [(r.values["valence"] - r.reference_values["valence"]) ** 2 for r in rows[1:]]
    f1 = sk.f1_score(
        [r.reference for r in rows], [r.label or "unparsed" for r in rows],
        labels=list(MER2023.labels), average="weighted",
    )  # fmt: skip
    measure = mer2023_combined(rows, MER2023)
    assert measure.value() == pytest.approx(f1 - 0.25 * np.mean(errors), abs=1e-12)
    assert measure.failures["no valence"] == 1 and measure.failures["two labels"] > 0
    none = rows[5].model_copy(update={"reference_values": {"valence": -10.0}})
    silent = rows[6].model_copy(update={"values": {"valence": -10.0}})
    again = mer2023_combined([*rows[:5], none, silent, *rows[7:]], MER2023)
    kept = errors[:4] + errors[6:]
    assert again.value() == pytest.approx(f1 - 0.25 * np.mean(kept), abs=1e-12)
    assert again.detail["n_valence"] == 57 and again.failures["no valence"] == 2
    with pytest.raises(EmollamaError, match="the score is weighted_f1"):
        mer2023_combined(random_predictions(5), MER2023)


def test_paired_difference_of_any_metric() -> None:
    mae = METRICS["mae"].within(Context(MER2023))
    rows, x, y = sentiments()
    better = [
        r.model_copy(update={"values": {"sentiment": float((a + b) / 2)}})
        for r, a, b in zip(rows, x, y, strict=True)
    ]
    found = paired(mae, better, rows[:150], resamples=200)
    assert found.n == 150 and found.ci_high < 0 and found.p == pytest.approx(2 / 201)
    assert found.value == pytest.approx(-np.abs(x - y)[:150].mean() / 2)
    told = [r.model_copy(update={"reference_reason": "He smiles."}) for r in rows]
    same = paired(mae, rows, told, resamples=100)
    assert (same.value, same.p) == (0, 1)
    other = [rows[0].model_copy(update={"reference_values": {"sentiment": 2.9}})]
    with pytest.raises(EmollamaError, match=r"'000' has reference_values .* and .* in the other"):
        paired(mae, rows, other)
    with pytest.raises(EmollamaError, match="no scored sample in common"):
        paired(mae, rows[:5], rows[5:])
