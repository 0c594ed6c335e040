"""Numbers of rows: sentiment as MOSI and MOSEI score it, valence and arousal.

A row without the answer is left out and counted: there is no wrong number to score instead.
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
Sign = Literal["nonneg", "pos", "affectgpt", "sims"]


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


def sign_cases(rows: Rows, form: Sign) -> Cases:
    """Sentiment as two classes, bool [n, 2]: "nonneg": negative or not, over all clips; "pos":
    negative or positive, over those whose truth is not 0; "affectgpt": as "pos", and an answer of
    0 is neither; "sims": 0 or less, or positive, over all clips.
    """
    require_known("form", form, get_args(Sign))
    cases = sentiment_cases(rows)
    x, y = (np.array([v[0] for v in side], dtype=float) for side in (cases.answer, cases.truth))
    every = form in ("nonneg", "sims")
    kept = np.full(len(y), True) if every else y != 0
    answer, truth = ((v >= 0 if form == "nonneg" else v > 0).astype(int) for v in (x, y))
    if form == "affectgpt":
        answer = np.where(x == 0, 2, answer)
    return Cases(
        tuple(r for r, k in zip(cases.rows, kept, strict=True) if k),
        one_hot(truth[kept], 2), one_hot(answer[kept], 2), cases.n_total, cases.failures, {},
        "" if every else "clips whose true sentiment is 0 are left out",
    )  # fmt: skip
