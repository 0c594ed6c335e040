"""Rows of every kind, and the committed predictions, for metrics whose numbers may not move."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from emollama.scoring.metrics.context import Context
from emollama.scoring.metrics.registry import METRICS
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.predictions.predictions import Header, Predictions, read_predictions
from emollama.scoring.report.scoring import score_predictions
from emollama.scoring.wheels.wheel_tables import read_wheel_tables

from .made import MER2023
from .wheel_made import write_tables

RESULTS = Path(__file__).parents[2] / "results"
GOLDEN = Path(__file__).parent / "golden" / "scores.json"
ASKED = (
    "clue_overlap", "label_overlap",
    "coverage", "set_size", "abstained", "nll_calibrated", "ece_calibrated",
)  # fmt: skip
"""Metrics of a judge, what it answers being no arithmetic, and those of test_calibration.py."""
KEPT = "value", "ci_low", "ci_high", "n_scored", "n_total", "p", "n", "failures"
LABELLED = {
    "quickstart": "quickstart/predictions.jsonl",
    "ravdess-a": "ravdess/a/predictions.jsonl",
    "ravdess-b": "ravdess/b/predictions.jsonl",
    "ravdess-c": "ravdess/c/predictions.jsonl",
    "meld": "meld/predictions.jsonl",
    "merr": "merr/predictions.jsonl",
}
MERR_BUILT = (
    "llm-built", "llm-true", "early-built-7", "early-true-7", "early-built-8", "early-true-8",
    "early-built-9", "early-true-9", "llm-votes", "llm-true",
)  # fmt: skip
"""Pairs of files in results/merr_built: each is compared with the next."""


def made_rows(seed: int) -> list[Prediction]:
    """Rows that hold everything that a metric of `METRICS` needs."""
    draw = np.random.default_rng(seed)
    raters = np.random.default_rng([seed, 1])  # of its own, so that no other number moves
    labels, words = MER2023.labels, ("happy", "sad", "fear", "surprise", "anger", "neutral")
    found = []
    for i in range(90):
        truth, answer = (int(k) for k in draw.integers(len(labels), size=2))
        answer = truth if draw.random() < 0.5 else answer
        shown = [labels[k] for k in np.flatnonzero(draw.random(len(labels)) < 0.3)]
        frames = 1 + i % 5
        y = np.round(draw.uniform(-1, 1, frames), 3)
        x = np.round(np.clip(y + draw.normal(0, 0.4, frames), -1, 1), 3)
        graded = float(np.round(draw.uniform(-3, 3))) if i % 5 else 0.0
        told = float(np.round(np.clip(graded + draw.normal(), -3, 3), 1))
        probable = draw.dirichlet(np.ones(len(labels))).tolist()
        found.append(
            Prediction(
                id=f"{i:02d}", reference=labels[truth], group=f"g{i % 13}", fold=str(i % 3),
                label=labels[answer] if i % 11 else None,
                parse_failure=None if i % 11 else "two labels",
                scores=dict(zip(labels, probable, strict=True)),
                reference_labels=tuple(shown), label_scores={
                    x: float(s) for x, s in zip(labels, np.round(draw.random(6), 2), strict=True)
                },
                values={"sentiment": told, "valence": float(x[0]), "arousal": tuple(x.tolist())},
                reference_values={
                    "sentiment": graded, "valence": float(y[0]), "arousal": tuple(y.tolist()),
                },
                words=tuple(words[k] for k in draw.integers(len(words), size=i % 4)),
                reference_words=(words[truth],),
                reference_votes={labels[truth]: 2, labels[int(raters.integers(6))]: 1},
            )
        )  # fmt: skip
    return found


def sources(folder: Path) -> Iterator[tuple[str, Predictions, Context, list[str], Predictions]]:
    """Name, predictions, context, metrics and what they are compared with."""
    header = Header(labels=MER2023, corpus="made", seed=3)
    one, two = (Predictions(header, tuple(made_rows(seed))) for seed in (1, 2))
    other = {r.id: r for r in two.rows}
    truths = ("reference", "reference_labels", "reference_values", "reference_words",
              "reference_votes")  # fmt: skip
    again = tuple(
        other[r.id].model_copy(update={n: getattr(r, n) for n in truths}) for r in one.rows
    )
    synonyms = {r.id: [["happy", "surprise"], ["fear", "anger"]] for r in one.rows if r.id != "07"}
    for rules in ("mer2025", "mer2026"):
        tables = read_wheel_tables(write_tables(folder / rules), rules)
        thresholds = {"sad": 0.4, "happy": 0.6} if rules == "mer2026" else None
        context = Context(MER2023, tables, thresholds, None, synonyms)
        names = [n for n in METRICS if n not in ASKED]
        yield rules, one, context, names, Predictions(header, again)
    for name, path in LABELLED.items():
        found = read_predictions(RESULTS / path)
        base = read_predictions((RESULTS / path).parent / "baseline.jsonl")
        names = ["weighted_f1", "accuracy", "uar", "macro_f1"]
        yield name, found, Context(found.header.labels), names, base
    for pair in zip(MERR_BUILT[::2], MERR_BUILT[1::2], strict=True):
        files = [read_predictions(RESULTS / "merr_built" / f"{n}.jsonl") for n in pair]
        yield ":".join(pair), files[0], Context(files[0].header.labels), ["weighted_f1"], files[1]


def scores(folder: Path) -> dict[str, Any]:
    """By source: results and differences, without what only tells of the files."""
    found: dict[str, Any] = {}
    for name, predictions, context, names, other in sources(folder):
        by = ("sample", "group") if name in ("mer2025", "quickstart") else ("sample",)
        for drawn in by:
            result = score_predictions(
                predictions, context, names, other, resamples=200, by=drawn
            )  # fmt: skip
            found[f"{name} by {drawn}"] = {
                kind: {row["metric"]: _kept(row) for row in result[kind]}
                for kind in ("results", "differences")
            }
    return found


def _kept(row: dict[str, Any]) -> dict[str, Any]:
    detail = _without_hash(row.get("detail", {}))
    return {k: row[k] for k in KEPT if k in row} | ({"detail": detail} if detail else {})


def _without_hash(detail: dict[str, Any]) -> dict[str, Any]:
    """The hash of tables that a test writes holds the time at which it wrote them."""
    return {
        k: _without_hash(v) if isinstance(v, dict) else v
        for k, v in detail.items()
        if k != "tables_sha256"
    }


def write_golden(folder: Path) -> None:
    """Write the golden file anew; for a metric that is new, never for a number that moved."""
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(json.dumps(scores(folder), indent=0, sort_keys=True) + "\n")
