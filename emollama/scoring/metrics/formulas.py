"""Formulas over labels: functions of truth, answers and weights, and of nothing else.

Truth and answers are bool [n, K], a row a sample and a column a label: one True where a sample has
one label, any number where it has several, none where nothing was answered. `weights` [R, n] say
how often each sample counts; all results have R first, so that a bootstrap is one call.

- A parse failure is a wrong answer of its own kind: it lowers recall and accuracy and is never
  replaced by a label. Scoring it as "neutral", as Emotion-LLaMA's script does, rewards failing.
- WAR (weighted average recall) is accuracy; UAR is the mean of the classes' recalls.
- UAR and macro F1 average over the classes that the truth holds (scikit-learn's
  `balanced_accuracy_score`; `f1_score(labels=<those present>)`). A class nobody shows has no
  recall. Weighted F1 weights by true support, as MER2023 and MELD do. `macro_f1_union` averages
  over the classes of truth or answers, which is scikit-learn's default.
- Precision of a class nobody predicted is 0, and so is its F1.
- Of several labels, an empty sum is 0, as scikit-learn's `zero_division=0` has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import numpy as np

ECE_BINS = 15
SMALLEST_PROBABILITY = 1e-12
"""Floor of a probability inside a logarithm, so that one certain mistake stays finite."""


def ratio(top: np.ndarray, bottom: np.ndarray, empty: float = np.nan) -> np.ndarray:
    """`top / bottom`, and `empty` where `bottom` is 0."""
    top, bottom = np.broadcast_arrays(np.asarray(top, float), np.asarray(bottom, float))
    return np.divide(top, bottom, out=np.full(top.shape, empty), where=bottom != 0)


def mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted mean [R] of values [n]."""
    return ratio(weights @ values, weights.sum(1))


def mean_of_defined(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis, NaN left out; NaN where all are."""
    held = ~np.isnan(values)
    return ratio(np.where(held, values, 0.0).sum(-1), held.sum(-1))


def harmonic_mean(a: np.ndarray, b: np.ndarray, empty: float = np.nan) -> np.ndarray:
    """2 a b / (a + b), and `empty` where both are 0."""
    return ratio(2 * a * b, a + b, empty)


def one_hot(codes: np.ndarray | Sequence[int], size: int) -> np.ndarray:
    """Bool [n, size] of the numbers of labels; another number is no label."""
    return np.asarray(codes)[:, None] == np.arange(size)


def counts(
    truth: np.ndarray, answer: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hits, support and number predicted of each label, float [R, K]."""
    true, said = truth.astype(float), answer.astype(float)
    return weights @ (true * said), weights @ true, weights @ said


def class_precision(truth: np.ndarray, answer: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Precision [R, K] of each label; 0 where nobody predicted it."""
    hits, _, predicted = counts(truth, answer, weights)
    return ratio(hits, predicted, 0.0)


def class_recall(truth: np.ndarray, answer: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Recall [R, K] of each label; NaN where the truth does not hold it."""
    hits, support, _ = counts(truth, answer, weights)
    return ratio(hits, support)


def class_f1(truth: np.ndarray, answer: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """F1 [R, K] of each label; NaN where the truth does not hold it."""
    hits, support, predicted = counts(truth, answer, weights)
    return np.where(support > 0, ratio(2 * hits, support + predicted, 0.0), np.nan)


def accuracy(truth: np.ndarray, answer: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Share of right answers [R]; also called WAR."""
    hits, support, _ = counts(truth, answer, weights)
    return ratio(hits.sum(1), support.sum(1))


def weighted_f1(truth: np.ndarray, answer: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """F1 of each label weighted by its true support [R] (the MER challenges' WAF)."""
    support = weights @ truth.astype(float)
    f1 = np.where(support > 0, class_f1(truth, answer, weights), 0.0)
    return ratio((f1 * support).sum(1), support.sum(1))


def uar(truth: np.ndarray, answer: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Unweighted average recall [R]: the mean recall of the labels that the truth holds."""
    return mean_of_defined(class_recall(truth, answer, weights))


def macro_f1(truth: np.ndarray, answer: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean F1 [R] of the labels that the truth holds."""
    return mean_of_defined(class_f1(truth, answer, weights))


def macro_f1_union(truth: np.ndarray, answer: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean F1 [R] of the labels that truth or answers hold; one that is only answered has 0."""
    hits, support, predicted = counts(truth, answer, weights)
    return mean_of_defined(ratio(2 * hits, support + predicted))


def micro_f1(truth: np.ndarray, answer: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """F1 [R] of all labels' counts together."""
    hits, support, predicted = counts(truth, answer, weights)
    return ratio(2 * hits.sum(1), (support + predicted).sum(1), 0.0)


def macro_f1_multilabel(truth: np.ndarray, answer: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean F1 [R] over all labels, 0 for one that is neither shown nor answered."""
    hits, support, predicted = counts(truth, answer, weights)
    return ratio(2 * hits, support + predicted, 0.0).mean(1)


def samples_f1(truth: np.ndarray, answer: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean over samples of 2 |T and A| / (|T| + |A|) [R]."""
    both = (truth & answer).sum(1)
    return mean(ratio(2 * both, truth.sum(1) + answer.sum(1), 0.0), weights)


def jaccard(truth: np.ndarray, answer: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean over samples of |T and A| / |T or A| [R]."""
    return mean(ratio((truth & answer).sum(1), (truth | answer).sum(1), 0.0), weights)


def overlap_of(true: AbstractSet[str], said: AbstractSet[str]) -> tuple[float, float, float]:
    """Precision, recall and F1 of one set of words against another; 0 where a set is empty."""
    both = len(true & said)
    if not both:
        return 0.0, 0.0, 0.0
    return both / len(said), both / len(true), 2 * both / (len(true) + len(said))


def nll(truth: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean negative log-likelihood [R] of the true label; scores are float [n, K]."""
    return mean(-np.log(np.maximum(scores[truth], SMALLEST_PROBABILITY)), weights)


def brier(truth: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum of squares over labels, mean over samples [R]: 0 to 2 (Brier, 1950)."""
    return mean(((scores - truth) ** 2).sum(1), weights)


def ece(truth: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Calibration error [R]: the highest score against how often its label is right.

    Over 15 bins of equal width (Guo et al., 2017).
    """
    rows = np.arange(len(scores))
    gap = np.zeros((len(rows), ECE_BINS))
    gap[rows, bin_of(scores)] = truth[rows, scores.argmax(1)] - scores.max(1)
    return ratio(np.abs(weights @ gap).sum(1), weights.sum(1))


def bin_of(scores: np.ndarray) -> np.ndarray:
    """The bin, int [n], that each row's highest score lies in: (k / 15, (k + 1) / 15]."""
    edges = np.linspace(0, 1, ECE_BINS + 1)
    return np.clip(np.searchsorted(edges, scores.max(1), side="left") - 1, 0, ECE_BINS - 1)
