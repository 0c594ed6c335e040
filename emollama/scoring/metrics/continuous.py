"""Numbers of rows: sentiment as MOSI and MOSEI score it, valence and arousal.

A row without the answer is left out and counted: there is no wrong number to score instead. Two
publishers score sentiment as classes and have one; there such a row counts, as `Sign` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from emollama.base.errors import EmollamaError, require_known
from emollama.scoring.metrics.formulas import one_hot
from emollama.scoring.metrics.measure import Cases, Measure, count_failures, in_order
from emollama.scoring.metrics.regression import ccc
from emollama.scoring.predictions.checks import series
from emollama.scoring.predictions.prediction import Prediction

SENTIMENT = "sentiment"
Rows = Sequence[Prediction]
Sign = Literal["nonneg", "pos", "sims", "affectgpt", "emotion-llama-v2"]
"""Sentiment as two classes.

- "nonneg": negative or not, over all clips.
- "pos": negative or positive, over those whose truth is not 0.
- "sims": 0 or less, or positive, over all clips.
- "affectgpt": as "pos", and a clip without an answer has answered 0, which is not positive and so
  right for a negative clip (MER-UniBench's evaluation.py, `calculate_dimension_zeroshot`).
- "emotion-llama-v2": over clips whose truth is not 0; an answer of 0 or none is a class of its own
  (evaluation/score_split_sentiment_no_neutral.py, where answers are words).
"""
UNREAD_IS_0 = ("affectgpt", "emotion-llama-v2")


def numbers(row: Prediction, side: str, name: str) -> tuple[float, ...] | None:
    """One quantity of a row as a series; `side` is `values` or `reference_values`."""
    found = (getattr(row, side) or {}).get(name)
    return None if found is None else series(found)


def number_cases(rows: Rows, *names: str) -> Cases:
    """Rows whose truth and answer hold every quantity.

    Truth and answers are a list a quantity, in it an array [T] a row.
    """
    known = [
        r for r in in_order(rows)
        if all(numbers(r, "reference_values", n) is not None for n in names)
    ]  # fmt: skip
    kept = [r for r in known if all(numbers(r, "values", n) is not None for n in names)]
    truth, answer = (
        [[np.array(numbers(r, side, n)) for r in kept] for n in names]
        for side in ("reference_values", "values")
    )
    ids = {r.id for r in kept}
    failures = count_failures(r for r in known if r.id not in ids)
    frames = sum(map(len, truth[0]))
    several = frames != len(kept)
    return Cases(
        tuple(kept), truth, answer, len(rows), failures, {"frames": frames} if several else {},
        f"{frames} frames" if several else "",
    )  # fmt: skip


def concordance(rows: Rows, *names: str) -> Measure:
    """CCC of one quantity, or its mean over several (ABAW: valence and arousal)."""
    cases = number_cases(rows, *names)

    def parts(weights: np.ndarray) -> np.ndarray:
        pairs = zip(cases.truth, cases.answer, strict=True)
        return np.stack([ccc(t, a, weights) for t, a in pairs], axis=1)

    detail: dict[str, object] = {}
    if len(names) > 1 and cases.rows:
        values = parts(np.ones((1, len(cases.rows))))[0].tolist()
        detail = {n: None if np.isnan(v) else v for n, v in zip(names, values, strict=True)}
    return cases.bound(lambda w: parts(w).mean(1), **detail)


def one_number(rows: Rows, name: str = SENTIMENT) -> Cases:
    """Rows with one quantity: truth and answers an array [T] a row."""
    cases = number_cases(rows, name)
    return replace(cases, truth=cases.truth[0], answer=cases.answer[0])


def sentiment_cases(rows: Rows) -> Cases:
    """Rows with sentiment, one number each.

    Raises:
        EmollamaError: a row with several numbers.
    """
    cases = one_number(rows)
    for row, found in zip(cases.rows, cases.answer, strict=True):
        if len(found) != 1:
            raise EmollamaError(
                f"id '{row.id}': sentiment needs one number a clip, not {len(found)}"
            )
    return cases


def clipped_cases(rows: Rows, bound: float) -> Cases:
    """Rows with sentiment, truth and answers clipped to -bound..bound, as MMSA does for SIMS."""
    cases = one_number(rows)
    truth, answer = ([np.clip(v, -bound, bound) for v in s] for s in (cases.truth, cases.answer))
    return replace(cases, truth=truth, answer=answer)


def sign_cases(rows: Rows, form: Sign) -> Cases:
    """Sentiment as two classes, bool [n, 2]; for the forms see `Sign`."""
    require_known("form", form, get_args(Sign))
    failures = sentiment_cases(rows).failures
    if form in UNREAD_IS_0:
        rows = [r if numbers(r, "values", SENTIMENT) is not None else _answering_0(r) for r in rows]
    cases = sentiment_cases(rows)
    x, y = (np.array([v[0] for v in side], dtype=float) for side in (cases.answer, cases.truth))
    every = form in ("nonneg", "sims")
    kept = np.full(len(y), True) if every else y != 0
    answer, truth = ((v >= 0 if form == "nonneg" else v > 0).astype(int) for v in (x, y))
    if form == "emotion-llama-v2":
        answer = np.where(x == 0, 2, answer)
    return Cases(
        tuple(r for r, k in zip(cases.rows, kept, strict=True) if k),
        one_hot(truth[kept], 2), one_hot(answer[kept], 2), cases.n_total, failures, {},
        "" if every else "clips whose true sentiment is 0 are left out",
        "" if kept.any() or not len(y) else "nothing to score: every true sentiment is 0",
    )  # fmt: skip


def _answering_0(row: Prediction) -> Prediction:
    return row.model_copy(update={"values": {**(row.values or {}), SENTIMENT: 0.0}})
