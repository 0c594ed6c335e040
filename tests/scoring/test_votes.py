"""Metrics against the votes of several annotators, held against torch and scipy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon

from emollama.base.errors import EmollamaError
from emollama.manifest.labels import label_set
from emollama.manifest.sample import Manifest, Sample, Targets
from emollama.scoring.metrics.choosing import fitting
from emollama.scoring.metrics.context import Context
from emollama.scoring.metrics.scores import evaluate
from emollama.scoring.predictions.against import against_manifest
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.predictions.predictions import (
    Header,
    Predictions,
    read_predictions,
    write_predictions,
)

LABELS = label_set("three", "happy", "sad", "neutral")
NAMES = ("soft_cross_entropy", "jensen_shannon", "agreement")
VOTES: tuple[dict[str, float], ...] = (
    {"happy": 3, "neutral": 1},
    {"sad": 5},
    {"happy": 1, "sad": 1, "neutral": 1},
)
SCORES = ((0.5, 0.25, 0.25), (0.1, 0.8, 0.1), (0.6, 0.2, 0.2))


def rows() -> list[Prediction]:
    return [
        Prediction(
            id=str(i), label=LABELS.labels[int(np.argmax(q))], reference_votes=votes,
            scores=dict(zip(LABELS.labels, q, strict=True)),
        )
        for i, (votes, q) in enumerate(zip(VOTES, SCORES, strict=True))
    ]  # fmt: skip


def checked(path: Path, made: list[Prediction]) -> tuple[Prediction, ...]:
    write_predictions(path, Header(labels=LABELS), made)
    return read_predictions(path).rows


def test_the_same_as_torch_and_scipy(tmp_path: Path) -> None:
    found = checked(tmp_path / "p.jsonl", rows())
    assert found[0].reference_votes == {"happy": 0.75, "neutral": 0.25}
    assert set(NAMES) <= set(fitting(found, Context(LABELS)))
    scored = evaluate(found, LABELS, NAMES, resamples=100)
    p = torch.tensor([[v.get(x, 0) for x in LABELS.labels] for v in VOTES], dtype=torch.float64)
    p /= p.sum(1, keepdim=True)
    q = torch.tensor(SCORES, dtype=torch.float64)
    expected = torch.nn.functional.cross_entropy(q.log(), p).item()
    assert scored["soft_cross_entropy"].value == pytest.approx(expected, abs=1e-12)
    distances = [jensenshannon(a, b, base=2) ** 2 for a, b in zip(p, q, strict=True)]
    assert scored["jensen_shannon"].value == pytest.approx(np.mean(distances), abs=1e-12)
    assert scored["agreement"].value == pytest.approx((0.75 + 1 + 1 / 3) / 3)


def test_no_answer_agrees_with_nobody_and_has_no_probabilities() -> None:
    silent = Prediction(id="9", parse_failure="empty answer", reference_votes={"sad": 1.0})
    sure = rows()[1].model_copy(update={"reference_votes": {"sad": 1.0}})
    scored = evaluate([sure, silent], LABELS, NAMES, resamples=100)
    assert scored["agreement"].n_scored == 2
    assert scored["agreement"].value == 0.5
    assert (scored["jensen_shannon"].n_scored, scored["jensen_shannon"].parse_failures) == (1, 1)


def test_votes_that_are_none(tmp_path: Path) -> None:
    for votes in ({"glee": 1.0}, {"happy": -1.0, "sad": 2.0}, {"happy": 0.0}, {}):
        with pytest.raises(EmollamaError, match="reference_votes"):
            checked(tmp_path / "p.jsonl", [Prediction(id="a", reference_votes=votes)])


def test_a_manifest_knows_votes_and_words(tmp_path: Path) -> None:
    targets = Targets(votes={"happy": 3, "sad": 1}, words=("glad", "Uneasy"))
    manifest = Manifest(tmp_path / "m.jsonl", "c", LABELS, (Sample(id="a", targets=targets),))
    bare = Predictions(Header(labels=LABELS), (Prediction(id="a", label="sad"),))
    (row,) = against_manifest(bare, manifest).rows
    assert row.reference_votes == {"happy": 0.75, "sad": 0.25}
    assert row.reference_words == ("glad", "Uneasy")
    wrongs: tuple[dict[str, Any], ...] = (
        {"reference_votes": {"happy": 1.0}}, {"reference_words": ("glad",)},
    )  # fmt: skip
    for wrong in wrongs:
        other = Predictions(Header(labels=LABELS), (Prediction(id="a", label="sad", **wrong),))
        with pytest.raises(EmollamaError, match=f"has {next(iter(wrong))}"):
            against_manifest(other, manifest)
    same: dict[str, Any] = {
        "reference_votes": {"happy": 0.75, "sad": 0.25},
        "reference_words": ("uneasy", "glad"),
    }
    agreed = Predictions(Header(labels=LABELS), (Prediction(id="a", label="sad", **same),))
    assert against_manifest(agreed, manifest).rows[0].reference_words == ("uneasy", "glad")
