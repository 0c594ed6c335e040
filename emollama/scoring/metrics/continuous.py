"""Regression: sentiment as MOSI and MOSEI score it, and concordance of valence and arousal.

With y the truth and x the answer, over clips (sentiment) or over all frames of all clips
(concordance):

- MAE = mean |x - y|; Pearson r = cov(x, y) / (sd x * sd y).
- Acc-7 = share of round(clip(x, -3, 3)) = round(clip(y, -3, 3)), Acc-5 the same within -2..2 and
  Acc-3 within -1..1; halves round to the even number, as numpy and torch do (MMSA: Mao et al.,
  ACL 2022).
- Acc-2 (negative / non-negative) = share of [x >= 0] = [y >= 0], over all clips;
  Acc-2 (negative / positive) = share of [x > 0] = [y > 0], over clips with y != 0, where an
  answer of exactly 0 counts as negative; in AffectGPT's form an answer of 0 is neutral, wrong
  whichever the truth is. F1 is weighted by true support in all of them.
- SIMS has sentiment in -1..1 and cuts it where MMSA does: Acc-2 at 0 (0 is negative), Acc-3 at
  -0.1 and 0.1, Acc-5 at -0.7, -0.1, 0.1 and 0.7; a number on a cut belongs below it.
- CCC = 2 cov(x, y) / (var x + var y + (mean x - mean y)^2), population (co)variances (Lin, 1989),
  over all frames of all clips as one sequence; not the mean of clips' CCCs.

A row without the answer is left out and counted: there is no wrong number to score instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.scoring.metrics.measure import Measure, count_failures, in_order, ratio
from emollama.scoring.metrics.metrics import accuracy, weighted_f1
from emollama.scoring.predictions.checks import series
from emollama.scoring.predictions.prediction import Prediction

SENTIMENT = "sentiment"
ROUNDING = 1e-14
"""Of a mean square: a variance below this share of it is none."""
Sign = Literal["nonneg", "pos", "affectgpt", "sims"]


def numbers(row: Prediction, side: str, name: str) -> tuple[float, ...] | None:
    """One quantity of a row as a series; `side` is `values` or `reference_values`."""
    found = (getattr(row, side) or {}).get(name)
    return None if found is None else series(found)


def _answered(
    rows: Sequence[Prediction], names: Sequence[str]
) -> tuple[list[Prediction], dict[str, int]]:
    """Rows whose truth and answer hold every quantity, and the others that have the truth."""
    known = [
        r for r in in_order(rows)
        if all(numbers(r, "reference_values", n) is not None for n in names)
    ]  # fmt: skip
    kept = [r for r in known if all(numbers(r, "values", n) is not None for n in names)]
    ids = {r.id for r in kept}
    return kept, count_failures(r for r in known if r.id not in ids)


@dataclass(frozen=True)
class _Moments:
    """Sums over the frames of each row, about a centre of each side.

    Attributes:
        sums: float [n, 7]: count, x, y, xx, yy, xy (centred) and |x - y|.
        gap: centre of the answers minus that of the truths.
    """

    sums: np.ndarray
    gap: float


def _moments(rows: Sequence[Prediction], name: str) -> _Moments:
    made = np.zeros((len(rows), 7))
    pairs = [
        (np.array(numbers(r, "values", name)), np.array(numbers(r, "reference_values", name)))
        for r in rows
    ]
    if not pairs:
        return _Moments(made, 0.0)
    # Sums of squares of far-off numbers would lose digits.
    left, right = (_centre(np.concatenate([p[k] for p in pairs])) for k in (0, 1))
    for i, (x, y) in enumerate(pairs):
        p, q = x - left, y - right
        made[i] = (
            len(x), p.sum(), q.sum(), (p * p).sum(), (q * q).sum(), (p * q).sum(),
            np.abs(x - y).sum(),
        )  # fmt: skip
    return _Moments(made, left - right)


def _centre(values: np.ndarray) -> float:
    """The mean, and of equal values the value itself, which their rounded mean need not be."""
    return float(values[0] if (values == values[0]).all() else values.mean())


def _spread(sums: np.ndarray) -> tuple[np.ndarray, ...]:
    """Centred means, population variances and covariance [r] of summed moments [r, 7]."""
    x, y, xx, yy, xy = (ratio(sums[:, k], sums[:, 0]) for k in range(1, 6))
    # A draw of one value over and over has variance 0, but for the rounding of its square.
    var_x, var_y = (
        np.where(square - mean * mean <= ROUNDING * square, 0.0, square - mean * mean)
        for mean, square in ((x, xx), (y, yy))
    )
    return x, y, var_x, var_y, xy - x * y


def _ccc(sums: np.ndarray, gap: float) -> np.ndarray:
    x, y, var_x, var_y, cov = _spread(sums)
    return ratio(2 * cov, var_x + var_y + (x - y + gap) ** 2)


def _pearson(sums: np.ndarray) -> np.ndarray:
    _, _, var_x, var_y, cov = _spread(sums)
    return ratio(cov, np.sqrt(var_x * var_y))


def _mae(sums: np.ndarray) -> np.ndarray:
    return ratio(sums[:, 6], sums[:, 0])


def ccc(rows: Sequence[Prediction], *names: str) -> Measure:
    """CCC of one quantity, or its mean over several (ABAW: valence and arousal)."""
    return _of_moments(rows, names, _ccc)


def pearson(rows: Sequence[Prediction], name: str = SENTIMENT) -> Measure:
    """Pearson's r; undefined where answers or truths are all the same."""
    return _of_moments(rows, (name,), lambda sums, gap: _pearson(sums))


def mae(rows: Sequence[Prediction], name: str = SENTIMENT) -> Measure:
    """Mean absolute error, in the quantity's own unit."""
    return _of_moments(rows, (name,), lambda sums, gap: _mae(sums))


def _of_moments(
    rows: Sequence[Prediction],
    names: Sequence[str],
    function: Callable[[np.ndarray, float], np.ndarray],
) -> Measure:
    kept, failures = _answered(rows, names)
    moments = [_moments(kept, name) for name in names]

    def statistic(weights: np.ndarray) -> np.ndarray:
        return np.stack([function(weights @ m.sums, m.gap) for m in moments]).mean(0)

    frames = int(moments[0].sums[:, 0].sum())
    detail: dict[str, object] = {}
    if frames != len(kept):
        detail["frames"] = frames
    if len(names) > 1 and kept:
        every = np.ones((1, len(kept)))
        for name, m in zip(names, moments, strict=True):
            value = float(function(every @ m.sums, m.gap)[0])
            detail[name] = None if np.isnan(value) else value
    note = f"{frames} frames" if frames != len(kept) else ""
    return Measure(tuple(kept), statistic, len(rows), failures, detail, note)


def grade_accuracy(rows: Sequence[Prediction], bound: int) -> Measure:
    """Acc-7 (`bound` 3), Acc-5 (2) or Acc-3 (1) of sentiment."""
    return _same_class(rows, lambda v: np.rint(np.clip(v, -bound, bound)))


def step_accuracy(rows: Sequence[Prediction], cuts: Sequence[float]) -> Measure:
    """Share of clips whose answer lies between the same `cuts` as the truth; SIMS' accuracies."""
    return _same_class(rows, lambda v: np.digitize(v, cuts, right=True))


def _same_class(
    rows: Sequence[Prediction], grade: Callable[[np.ndarray], np.ndarray]
) -> Measure:  # fmt: skip
    kept, failures = _answered(rows, (SENTIMENT,))
    x, y = _clip_values(kept)
    hits = (grade(x) == grade(y)).astype(float)
    return Measure(tuple(kept), lambda w: ratio(w @ hits, w.sum(1)), len(rows), failures)


def sign_metric(rows: Sequence[Prediction], metric: str, form: Sign) -> Measure:
    """Acc-2 or F1 of sentiment's sign.

    Args:
        rows: one system's rows.
        metric: "accuracy" or "weighted_f1".
        form: "nonneg": negative / non-negative over all clips; "pos": negative / positive over
            those whose truth is not 0; "affectgpt": as "pos", and an answer of 0 is wrong;
            "sims": 0 or less / positive over all clips.
    """
    kept, failures = _answered(rows, (SENTIMENT,))
    every = form in ("nonneg", "sims")
    if not every:
        kept = [r for r in kept if _clip_values([r])[1][0] != 0]
    x, y = _clip_values(kept)
    answer, truth = ((v >= 0 if form == "nonneg" else v > 0).astype(int) for v in (x, y))
    if form == "affectgpt":
        answer = np.where(x == 0, 2, answer)
    # Cells of a 2 x 3 confusion matrix; its last column holds what is neither.
    cells = np.zeros((len(kept), 6))
    cells[np.arange(len(kept)), truth * 3 + answer] = 1
    function: Callable[[np.ndarray], np.ndarray] = accuracy if metric == "accuracy" else weighted_f1
    return Measure(
        tuple(kept), lambda w: function((w @ cells).reshape(-1, 2, 3)), len(rows), failures,
        note="" if every else "clips whose true sentiment is 0 are left out",
    )  # fmt: skip


def _clip_values(rows: Sequence[Prediction]) -> tuple[np.ndarray, np.ndarray]:
    """Answers and truths [n] of one sentiment a clip."""
    for row in rows:
        found = numbers(row, "values", SENTIMENT) or ()
        if len(found) != 1:
            raise EmollamaError(
                f"id '{row.id}': sentiment needs one number a clip, not {len(found)}"
            )
    sides = ("values", "reference_values")
    x, y = (np.array([(numbers(r, s, SENTIMENT) or (0.0,))[0] for r in rows]) for s in sides)
    return x, y
