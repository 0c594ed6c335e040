"""Emotion-wheel metrics: hit rate, m-score, and precision, recall and F of open vocabularies.

For sample i and wheel w let G be the set of gold categories and P that of predicted ones.

- EW precision = mean over i of |G and P| / |P| (0 where P is empty), EW recall = mean of
  |G and P| / |G|, EW F = harmonic mean of these two means; a sample whose G is empty is left out
  on that wheel. Each is averaged over the five wheels, F as F. (MER2025, MER2026 track 2.)
- hit rate = mean of [the one gold category is in P]; m-score divides each hit by the number of
  predicted categories that are a category of any gold label in the file. (AffectGPT MER-UniBench.)

`published` measures reproduce the published scorers with all their defects; `corrected` ones use
the repaired mapping (`wheel_words.Corrected`), under which every sample with a gold word counts
on every wheel, and F is 0 where nothing matches. See docs/metrics.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from emollama.base.errors import EmollamaError, require_known
from emollama.scoring.metrics.formulas import harmonic_mean, overlap_of, ratio
from emollama.scoring.metrics.measure import Measure, Statistic, count_failures, in_order
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.wheels.wheel_tables import WHEELS, WheelTables
from emollama.scoring.wheels.wheel_words import Corrected, Published

Part = Literal["precision", "recall", "f", "hit_rate", "m_score"]
Mapping = type[Published] | type[Corrected]
Table = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Two ratios and whether a sample counts, each float [n, 5]."""


def gold_words(row: Prediction) -> tuple[str, ...] | None:
    """The true words: `reference_words`, else the one true label."""
    if row.reference_words is not None:
        return row.reference_words
    return None if row.reference is None else (row.reference,)


def answered_words(row: Prediction) -> tuple[str, ...]:
    """The predicted words: `words`, else the one label; none where parsing failed."""
    if row.words is not None:
        return row.words
    return () if row.label is None else (row.label,)


def open_vocabulary(
    rows: Sequence[Prediction], mapping: Published | Corrected, part: Part
) -> Measure:
    """EW precision, recall or F over words."""
    require_known("part", part, get_args(Part))
    with_gold = _with_gold(rows)
    return _measure(rows, with_gold, _set_ratios(with_gold, mapping), mapping, part)


def hit_rate(rows: Sequence[Prediction], mapping: Published | Corrected, part: Part) -> Measure:
    """Hit rate, m-score, or the precision that the published metric leaves out.

    Raises:
        EmollamaError: a sample with several gold words; the metric is defined for one.
    """
    require_known("part", part, get_args(Part))
    with_gold = _with_gold(rows)
    for row in with_gold:
        gold = gold_words(row) or ()
        if len(gold) > 1:
            raise EmollamaError(
                f"id '{row.id}': hit rate needs one gold word, but there are {len(gold)}; "
                "for several use ew_f"
            )
    return _measure(rows, with_gold, _hit_ratios(with_gold, mapping), mapping, part)


def headline(rows: Sequence[Prediction], tables: WheelTables) -> Measure:
    """The score a challenge ranks by: 2025 the mean F of levels 1 and 2, 2026 that of level 1."""
    one = open_vocabulary(rows, Published(tables, 1), "f")
    if tables.rules == "mer2026":
        return one
    two = open_vocabulary(rows, Published(tables, 2), "f")

    def statistic(weights: np.ndarray) -> np.ndarray:
        return np.stack([one.statistic(weights), two.statistic(weights)]).mean(0)

    detail: dict[str, object] = {"level1": one.detail, "level2": two.detail}
    return Measure(
        one.rows, statistic, one.n_total, one.failures, detail, one.note, one.empty, one.nothing
    )


def _with_gold(rows: Sequence[Prediction]) -> list[Prediction]:
    return [r for r in in_order(rows) if gold_words(r) is not None]


def _measure(
    rows: Sequence[Prediction],
    with_gold: Sequence[Prediction],
    table: Table,
    mapping: Published | Corrected,
    part: Part,
) -> Measure:
    # A sample that no wheel can place is not scored at all; one that some can, on those.
    kept = [i for i in range(len(with_gold)) if table[2][i].any()]
    scored = tuple(with_gold[i] for i in kept)
    table = (table[0][kept], table[1][kept], table[2][kept])
    safe = isinstance(mapping, Corrected) or (
        mapping.tables.rules == "mer2026" and part in ("precision", "recall", "f")
    )
    per_wheel = _per_wheel(table, part, 0.0 if safe else np.nan)
    tables = mapping.tables
    counts = table[2].sum(0).astype(int)
    values = per_wheel(np.ones((1, len(kept))))[0]
    detail: dict[str, object] = {
        "tables": tables.version,
        "tables_sha256": tables.sha256,
        "rules": tables.rules,
        "level": mapping.level,
        "wheels": [
            {
                "value": None if np.isnan(v) else float(v),
                "n_scored": int(n),
                "n_skipped": len(with_gold) - int(n),
            }
            for v, n in zip(values, counts, strict=True)
        ],
    }
    note = nothing = ""
    if with_gold and not kept:
        named = sorted({w for r in with_gold for w in gold_words(r) or ()})
        said = f"none of the true words ({', '.join(named[:5])})" if named else "no true word"
        nothing = f"nothing to score: {said} of {len(with_gold)} samples is in the wheel tables"
    if kept and np.isnan(values).any():
        note = "the published scorer gives NaN here: precision + recall is 0 on a wheel, or no gold"
    elif len(set(counts)) > 1 or (len(counts) and counts[0] < len(with_gold)):
        note = f"{min(counts)} to {max(counts)} of {len(with_gold)} samples count on a wheel"
    failed = count_failures(r for r in with_gold if not answered_words(r))
    return Measure(
        scored, lambda w: per_wheel(w).mean(1), len(rows), failed, detail, note,
        empty=0.0 if safe and isinstance(mapping, Published) else None, nothing=nothing,
    )  # fmt: skip


def _per_wheel(table: Table, part: Part, empty: float) -> Statistic:
    first, second, counted = table

    def mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return ratio(weights @ values, weights @ counted, empty)

    def statistic(weights: np.ndarray) -> np.ndarray:
        if part in ("precision", "hit_rate"):
            return mean(first, weights)
        if part in ("recall", "m_score"):
            return mean(second, weights)
        return harmonic_mean(mean(first, weights), mean(second, weights), empty)

    return statistic


def _set_ratios(rows: Sequence[Prediction], mapping: Published | Corrected) -> Table:
    precision, recall, counted = (np.zeros((len(rows), WHEELS)) for _ in range(3))
    for i, row in enumerate(rows):
        for w in range(WHEELS):
            gold = mapping.categories(gold_words(row) or (), w)
            if gold:
                counted[i, w] = 1
                answer = mapping.categories(answered_words(row), w)
                precision[i, w], recall[i, w], _ = overlap_of(gold, answer)
    return precision, recall, counted


def _hit_ratios(rows: Sequence[Prediction], mapping: Published | Corrected) -> Table:
    hits, shared, counted = (np.zeros((len(rows), WHEELS)) for _ in range(3))
    labels = sorted({g for r in rows for g in gold_words(r) or ()})
    for w in range(WHEELS):
        # The published code maps the set of gold labels without lower-casing or stripping.
        known = (
            mapping.categories(labels, w, clean=False) if isinstance(mapping, Published) else None
        )
        for i, row in enumerate(rows):
            gold = mapping.categories(gold_words(row) or (), w)
            if gold:
                counted[i, w] = 1
                answer = mapping.categories(answered_words(row), w)
                among = answer if known is None else answer & known
                hits[i, w] = len(gold & answer)
                shared[i, w] = hits[i, w] / len(among) if among else 0.0
    return hits, shared, counted
