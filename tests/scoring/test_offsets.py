"""Offsets of labels: what they move, what they leave, and where they come from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.scoring.metrics.offsets import DECISION, STEPS, fit_offsets, with_offsets
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.predictions.predictions import Header, Predictions

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
    bare = Prediction(id="x", reference="sad", parse_failure="no label")
    with_gaps = replace(held, rows=(*held.rows, bare))
    offsets, rows = fit_offsets(with_gaps)
    others = np.mean([v for x, v in offsets.items() if x != "neutral"])
    assert rows == 300 and offsets["neutral"] - others == pytest.approx(-2.0, abs=0.5)
    decided = with_offsets(test, with_gaps)
    assert right(decided) > right(test) + 0.1
    told = decided.header.settings[DECISION]
    assert f"fitted on 300 answers of model in held.jsonl, SHA-256 {'ab' * 32}" in told


def test_what_has_no_scores_or_nothing_to_gain_stays() -> None:
    held = leaning(1)
    bare = Prediction(id="x", reference="sad", label="happy")
    kept = with_offsets(Predictions(held.header, (*leaning(2).rows, bare)), held)
    assert kept.rows[-1] == bare
    perfect = tuple(
        r.model_copy(update={"scores": {x: float(x == r.reference) for x in LABELS}})
        for r in held.rows
        if r.reference != "sad"
    )
    assert set(fit_offsets(Predictions(held.header, perfect))[0].values()) == {0.0}
    assert STEPS[0] == 0


def test_offsets_of_other_channels_or_of_nothing_are_refused() -> None:
    held = leaning(1)
    bare = Predictions(held.header, (Prediction(id="x", reference="sad", label="happy"),))
    with pytest.raises(EmollamaError, match="offsets need rows with a reference and scores"):
        fit_offsets(bare)
    with pytest.raises(EmollamaError, match="the predictions have no scores"):
        with_offsets(bare, held)
    voice = tuple(r.model_copy(update={"channels": ("voice",)}) for r in held.rows)
    with pytest.raises(EmollamaError, match=r"its answers use voice, .* use voice \+ face"):
        with_offsets(leaning(2), replace(held, rows=voice))
