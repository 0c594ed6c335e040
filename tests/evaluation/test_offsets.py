"""Offsets of labels: what they move, what they leave, and where they come from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emollama.errors import EmollamaError
from emollama.evaluation.offsets import DECISION, STEPS, fit_offsets, with_offsets
from emollama.evaluation.predictions import Header, Prediction, Predictions

from .made import MER2023

LABELS = MER2023.labels


def leaning(seed: int, rows: int = 300) -> Predictions:
    """Scores that tell the label, read by a system that multiplies neutral's by e."""
    draw = np.random.default_rng(seed)
    made = []
    for i in range(rows):
        truth = int(draw.integers(len(LABELS)))
        logits = draw.normal(size=len(LABELS)) + 2.0 * (np.arange(len(LABELS)) == truth)
        logits[LABELS.index("neutral")] += 2.0
        scores = np.exp(logits) / np.exp(logits).sum()
        made.append(
            Prediction(
                id=f"s{seed}-{i:03d}", reference=LABELS[truth], label=LABELS[int(scores.argmax())],
                scores=dict(zip(LABELS, scores.tolist(), strict=True)),
            )
        )  # fmt: skip
    return Predictions(Header(labels=MER2023), tuple(made), Path("held.jsonl"), "ab" * 32)


def right(predictions: Predictions) -> float:
    return float(np.mean([r.label == r.reference for r in predictions.rows]))


def test_a_lean_is_taken_back_on_samples_not_fitted_on() -> None:
    held, test = leaning(1), leaning(2)
    offsets = fit_offsets(held)
    others = np.mean([v for x, v in offsets.items() if x != "neutral"])
    assert offsets["neutral"] - others == pytest.approx(-2.0, abs=0.5)
    decided = with_offsets(test, offsets, held)
    assert right(decided) > right(test) + 0.1
    assert (
        f"fitted on 300 rows of held.jsonl, SHA-256 {'ab' * 32}"
        in decided.header.settings[DECISION]
    )


def test_what_has_no_scores_or_nothing_to_gain_stays() -> None:
    held = leaning(1)
    bare = Prediction(id="x", reference="sad", label="happy")
    kept = with_offsets(Predictions(held.header, (bare,)), dict.fromkeys(LABELS, 1.0), held)
    assert kept.rows == (bare,)
    perfect = tuple(
        r.model_copy(update={"scores": {x: float(x == r.reference) for x in LABELS}})
        for r in held.rows
        if r.reference != "sad"
    )
    assert set(fit_offsets(Predictions(held.header, perfect)).values()) == {0.0}
    assert STEPS[0] == 0
    with pytest.raises(EmollamaError, match="offsets need rows with a reference and scores"):
        fit_offsets(Predictions(held.header, (bare,)))
