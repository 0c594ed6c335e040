"""Metrics as the field defines them, each with its interval and what it was computed over.

Conventions, the same everywhere:

- A parse failure is a wrong answer of its own kind (the last column of the confusion matrix). It
  lowers recall and accuracy and is never replaced by a label. Scoring it as "neutral", as
  Emotion-LLaMA's script does, rewards failing.
- WAR (weighted average recall) is accuracy; UAR is the mean of the classes' recalls.
- UAR and macro F1 average over the classes that the references hold (scikit-learn's
  `balanced_accuracy_score`; `f1_score(labels=<those present>)`). A class nobody shows has no
  recall. Weighted F1 weights by reference support, as MER2023 and MELD do.
- Precision of a class nobody predicted is 0, and so is its F1.
- Negative log-likelihood, Brier score and calibration error (ECE) are taken over the rows that
  carry label scores; `Score.n_scored` says how many.
- Rows without a reference are not scored; `n_total` counts them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.manifest.labels import LabelSet
from emollama.scoring.metrics.bootstrap import RESAMPLES, By, interval, resample, two_sided_p
from emollama.scoring.metrics.outcomes import Outcomes, confusion_matrix
from emollama.scoring.predictions.prediction import Prediction

ECE_BINS = 15
SMALLEST_PROBABILITY = 1e-12
"""Floor of a probability inside a logarithm, so that one certain mistake stays finite."""


@dataclass(frozen=True)
class Score:
    """A metric's value with its 95 % bootstrap interval and what it was computed over.

    `value` and the interval are None when nothing could be scored. `parse_failures` are among
    the `n_scored` rows (each counted as wrong), `n_total` also counts rows that were not scored.
    """

    value: float | None
    n_scored: int
    n_total: int
    parse_failures: int
    ci_low: float | None
    ci_high: float | None

    def __str__(self) -> str:
        if self.value is None or self.ci_low is None or self.ci_high is None:
            return "–"
        return f"{self.value:.3f} [{self.ci_low:.3f}, {self.ci_high:.3f}]"


@dataclass(frozen=True)
class ClassScore:
    """One label's row of the per-class table; recall and F1 are None where support is 0."""

    label: str
    precision: float
    recall: float | None
    f1: float | None
    f1_low: float | None
    f1_high: float | None
    support: int
    predicted: int


@dataclass(frozen=True)
class Difference:
    """Metric of a minus metric of b on the samples both answered, by paired bootstrap."""

    value: float
    ci_low: float
    ci_high: float
    p: float
    n: int


@dataclass(frozen=True)
class Bin:
    """One bar of a reliability diagram: rows whose highest score lies in (low, high]."""

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


def _parts(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hits, support and number predicted of each class, float [..., K]."""
    size = confusion.shape[-2]
    hits = np.diagonal(confusion[..., :size], axis1=-2, axis2=-1).astype(np.float64)
    return hits, confusion.sum(axis=-1, dtype=float), confusion[..., :size].sum(-2, dtype=float)


def _ratio(top: np.ndarray, bottom: np.ndarray, empty: float) -> np.ndarray:
    return np.divide(top, bottom, out=np.full(top.shape, empty), where=bottom > 0)


def class_recall(confusion: np.ndarray) -> np.ndarray:
    """Recall [..., K] of each class; NaN where the references do not hold it."""
    hits, support, _ = _parts(confusion)
    return _ratio(hits, support, np.nan)


def class_precision(confusion: np.ndarray) -> np.ndarray:
    """Precision [..., K] of each class; 0 where nobody predicted it."""
    hits, _, predicted = _parts(confusion)
    return _ratio(hits, predicted, 0.0)


def class_f1(confusion: np.ndarray) -> np.ndarray:
    """F1 [..., K] of each class; NaN where the references do not hold it."""
    hits, support, predicted = _parts(confusion)
    return np.where(support > 0, _ratio(2 * hits, support + predicted, 0.0), np.nan)


def accuracy(confusion: np.ndarray) -> np.ndarray:
    """Share of right answers, [...] of confusion matrices [..., K, K + 1]; also called WAR."""
    hits, support, _ = _parts(confusion)
    return _ratio(hits.sum(-1), support.sum(-1), np.nan)


def weighted_f1(confusion: np.ndarray) -> np.ndarray:
    """F1 of each class weighted by its reference support (the MER challenges' WAF)."""
    _, support, _ = _parts(confusion)
    weighted = np.where(support > 0, class_f1(confusion) * support, 0.0)
    return _ratio(weighted.sum(-1), support.sum(-1), np.nan)


def uar(confusion: np.ndarray) -> np.ndarray:
    """Unweighted average recall: the mean recall of the classes the references hold."""
    return _mean_of_present(class_recall(confusion))


def macro_f1(confusion: np.ndarray) -> np.ndarray:
    """Mean F1 of the classes the references hold."""
    return _mean_of_present(class_f1(confusion))


def _mean_of_present(values: np.ndarray) -> np.ndarray:
    present = ~np.isnan(values)
    return _ratio(np.where(present, values, 0.0).sum(-1), present.sum(-1).astype(float), np.nan)


METRICS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "weighted_f1": weighted_f1,
    "accuracy": accuracy,
    "uar": uar,
    "macro_f1": macro_f1,
}
"""Functions of a confusion matrix, by name."""

PROBABILITY_METRICS = ("nll", "brier", "ece")


def require_metric(name: str) -> str:
    """`name` when it is a key of `METRICS`, else an `EmollamaError`."""
    if name not in METRICS:
        raise EmollamaError(f"metric '{name}' is unknown{did_you_mean(name, METRICS)}")
    return name


def _weighted_confusion(outcomes: Outcomes) -> Callable[[np.ndarray], np.ndarray]:
    """Weights [r, n] to confusion matrices [r, K, K + 1]."""
    size = len(outcomes.labels.labels)
    cells = np.zeros((len(outcomes.ids), size * (size + 1)))
    cells[np.arange(len(cells)), outcomes.reference * (size + 1) + outcomes.answer] = 1
    return lambda weights: (weights @ cells).reshape(-1, size, size + 1)


def _weighted_probability(outcomes: Outcomes) -> Callable[[np.ndarray], np.ndarray]:
    """Weights [r, n] to [r, 3]: NLL, Brier score and ECE of rows that all carry scores.

    Brier is the sum of squares over classes (0 to 2; Brier, 1950). ECE compares the highest
    score with how often its label is right, over 15 bins of equal width (Guo et al., 2017).
    """
    scores, reference = outcomes.scores, outcomes.reference
    rows = np.arange(len(reference))
    loss = -np.log(np.maximum(scores[rows, reference], SMALLEST_PROBABILITY))
    truth = np.zeros_like(scores)
    truth[rows, reference] = 1
    brier = ((scores - truth) ** 2).sum(1)
    gap = np.zeros((len(rows), ECE_BINS))
    gap[rows, _bin_of(scores)] = (scores.argmax(1) == reference) - scores.max(1)

    def statistic(weights: np.ndarray) -> np.ndarray:
        total = weights.sum(1)
        ece = np.abs(weights @ gap).sum(1)
        return np.stack([weights @ loss, weights @ brier, ece], axis=1) / total[:, None]

    return statistic


def _bin_of(scores: np.ndarray) -> np.ndarray:
    edges = np.linspace(0, 1, ECE_BINS + 1)
    return np.clip(np.searchsorted(edges, scores.max(1), side="left") - 1, 0, ECE_BINS - 1)


def evaluate(
    predictions: Sequence[Prediction],
    labels: LabelSet,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    by: By = "sample",
) -> dict[str, Score]:
    """Every metric of `METRICS` and `PROBABILITY_METRICS`, by name.

    Args:
        predictions: one system's rows with one channel set; their order does not matter.
        labels: the label set, which fixes the order of classes.
        resamples: number of bootstrap resamples.
        seed: seed of the resampling.
        by: draw samples, or whole groups (speakers): the honest interval for new speakers, but
            one that needs a dozen groups or more to mean much.
    """
    outcomes = Outcomes.of(predictions, labels)
    failures = sum(outcomes.failures.values())
    scores: dict[str, Score] = {}
    if outcomes.ids:
        matrices = _weighted_confusion(outcomes)

        def statistic(weights: np.ndarray) -> np.ndarray:
            confusion = matrices(weights)
            return np.stack([metric(confusion) for metric in METRICS.values()], axis=1)

        point = statistic(np.ones((1, len(outcomes.ids))))[0]
        low, high = interval(resample(statistic, outcomes.units(by), resamples, seed))
        for k, name in enumerate(METRICS):
            scores[name] = Score(
                float(point[k]), len(outcomes.ids), outcomes.total, failures,
                float(low[k]), float(high[k]),
            )  # fmt: skip
    with_scores = [i for i, row in zip(outcomes.ids, outcomes.scores, strict=True) if row[0] >= 0]
    if with_scores:
        outcomes = outcomes.take(with_scores)
        probability = _weighted_probability(outcomes)
        point = probability(np.ones((1, len(with_scores))))[0]
        low, high = interval(resample(probability, outcomes.units(by), resamples, seed))
        unparsed = int((outcomes.answer == len(labels.labels)).sum())
        for k, name in enumerate(PROBABILITY_METRICS):
            scores[name] = Score(
                float(point[k]), len(with_scores), outcomes.total, unparsed,
                float(low[k]), float(high[k]),
            )  # fmt: skip
    nothing = Score(None, 0, len(predictions), 0, None, None)
    return {name: scores.get(name, nothing) for name in (*METRICS, *PROBABILITY_METRICS)}


def per_class(
    predictions: Sequence[Prediction],
    labels: LabelSet,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    by: By = "sample",
) -> list[ClassScore]:
    """Precision, recall, F1 (with its interval) and support of each label, in the set's order."""
    outcomes = Outcomes.of(predictions, labels)
    confusion = confusion_matrix(outcomes)
    recall, precision, f1 = class_recall(confusion), class_precision(confusion), class_f1(confusion)
    _, support, predicted = _parts(confusion)
    low = high = np.full(len(labels.labels), np.nan)
    present = np.flatnonzero(support)
    if len(present):
        matrices = _weighted_confusion(outcomes)
        drawn = resample(lambda w: class_f1(matrices(w)), outcomes.units(by), resamples, seed)
        ends = interval(drawn[:, present])
        low, high = low.copy(), high.copy()
        low[present], high[present] = ends
    return [
        ClassScore(
            label, float(precision[k]), _number(recall[k]), _number(f1[k]), _number(low[k]),
            _number(high[k]), int(support[k]), int(predicted[k]),
        )
        for k, label in enumerate(labels.labels)
    ]  # fmt: skip


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def reliability(predictions: Sequence[Prediction], labels: LabelSet) -> list[Bin]:
    """The 15 bins of the reliability diagram, over rows with a reference and scores."""
    outcomes = Outcomes.of(predictions, labels)
    known = ~np.isnan(outcomes.scores).any(axis=1)
    scores, reference = outcomes.scores[known], outcomes.reference[known]
    where = _bin_of(scores) if len(scores) else np.zeros(0, dtype=np.int64)
    bins = []
    for k in range(ECE_BINS):
        inside = where == k
        full = bool(inside.any())
        right = (scores.argmax(1) == reference)[inside] if full else None
        bins.append(
            Bin(
                low=k / ECE_BINS,
                high=(k + 1) / ECE_BINS,
                count=int(inside.sum()),
                confidence=float(scores.max(1)[inside].mean()) if full else None,
                accuracy=float(right.mean()) if right is not None else None,
            )
        )
    return bins


def mean_score(
    values: np.ndarray,
    n_total: int,
    parse_failures: int = 0,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Score:
    """The mean of per-sample values [n] with its interval, samples being what is drawn."""
    if not len(values):
        return Score(None, 0, n_total, parse_failures, None, None)
    drawn = resample(lambda w: w @ values / w.sum(1), np.arange(len(values)), resamples, seed)
    low, high = interval(drawn)
    return Score(
        float(values.mean()), len(values), n_total, parse_failures, float(low), float(high)
    )


def mean_difference(
    a: np.ndarray, b: np.ndarray, *, resamples: int = RESAMPLES, seed: int = 0
) -> Difference:
    """Mean of `a` minus mean of `b`, both [n] over the same samples, by paired bootstrap."""
    gap = a - b
    drawn = resample(lambda w: w @ gap / w.sum(1), np.arange(len(gap)), resamples, seed)
    low, high = interval(drawn)
    return Difference(float(gap.mean()), float(low), float(high), two_sided_p(drawn), len(gap))


def paired_difference(
    a: Sequence[Prediction],
    b: Sequence[Prediction],
    metric: str,
    labels: LabelSet,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    by: By = "sample",
) -> Difference:
    """Metric of `a` minus metric of `b`, both scored on the same resampled samples.

    Rows are paired by id; samples that only one of them answered are left out (`n` says how
    many pairs there are). The p-value is two-sided (see `bootstrap.two_sided_p`).

    Raises:
        EmollamaError: an unknown metric, no sample in common, or a sample with two references.
    """
    function = METRICS[require_metric(metric)]
    left, right = Outcomes.of(a, labels), Outcomes.of(b, labels)
    common = sorted(set(left.ids) & set(right.ids))
    if not common:
        raise EmollamaError("the two sets of predictions have no scored sample in common")
    left, right = left.take(common), right.take(common)
    odd = np.flatnonzero(left.reference != right.reference)
    if len(odd):
        raise EmollamaError(
            f"id '{common[odd[0]]}' has reference '{labels.labels[left.reference[odd[0]]]}' in one "
            f"set of predictions and '{labels.labels[right.reference[odd[0]]]}' in the other"
        )
    first, second = _weighted_confusion(left), _weighted_confusion(right)

    def statistic(weights: np.ndarray) -> np.ndarray:
        return function(first(weights)) - function(second(weights))

    value = float(statistic(np.ones((1, len(common))))[0])
    drawn = resample(statistic, left.units(by), resamples, seed)
    low, high = interval(drawn)
    return Difference(value, float(low), float(high), two_sided_p(drawn), len(common))
