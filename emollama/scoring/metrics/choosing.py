"""Which metrics to compute: those asked for by name, or those that rows have the truth for."""

from __future__ import annotations

from collections.abc import Sequence

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.scoring.metrics.context import Context, Rows
from emollama.scoring.metrics.registry import METRICS


def chosen(names: Sequence[str]) -> list[str]:
    """Names as asked for, each followed by those shown with it; every name once.

    Raises:
        EmollamaError: an unknown name.
    """
    found: list[str] = []
    for name in names:
        if name not in METRICS:
            raise EmollamaError(f"metric '{name}' is unknown{did_you_mean(name, METRICS)}")
        found += [name, *METRICS[name].beside]
    return list(dict.fromkeys(found))


def fitting(rows: Rows, context: Context) -> list[str]:
    """The metrics that rows have the truth for, when none is asked for by name.

    Those of a judge cost time or money, those of SIMS, EmoBox, AffectGPT and the released
    Emotion-LLaMA are for whoever compares with them, and those of probabilities are for the report:
    all of these are computed only by name, those of probabilities also beside a calibration.
    """
    truths = {k for r in rows for k in r.reference_values or ()}
    one = any(r.reference is not None for r in rows)
    calibrated = context.sets is not None and any(r.reference and r.scores for r in rows)
    words = any(r.reference_words is not None for r in rows)
    several = any(len(r.reference_words or ()) != 1 for r in rows if r.reference_words is not None)
    has = {
        "label": one,
        "probabilities": calibrated,
        "calibration": calibrated,
        "folds": one and len({r.fold for r in rows}) > 1 and all(r.fold for r in rows),
        "mer2023": one and any("valence" in (r.values or {}) for r in rows) and "valence" in truths,
        "sentiment": "sentiment" in truths,
        "valence": "valence" in truths and not one,
        "arousal": "arousal" in truths,
        "valence and arousal": {"valence", "arousal"} <= truths,
        "labels": any(r.reference_labels is not None for r in rows),
        "label scores": any(r.reference_labels and r.label_scores for r in rows),
        "votes": any(r.reference_votes and r.scores for r in rows),
        "agreement": any(r.reference_votes for r in rows),
        "synonyms": context.synonyms is not None and words,
        "hit": context.wheel is not None and one and not several,
        "wheel": context.wheel is not None and words and (several or not one),
    }
    return [name for name, metric in METRICS.items() if has.get(metric.needs)]
