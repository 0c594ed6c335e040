"""Predictions made up for tests, with known scores."""

from __future__ import annotations

import numpy as np

from emollama.evaluation.predictions import Prediction
from emollama.labels import LabelSet, get_label_set

MER2023 = get_label_set("mer2023")


def from_confusion(rows: list[list[int]], labels: tuple[str, ...]) -> list[Prediction]:
    """One prediction a count; a column after the last label means 'unparsed'."""
    made = []
    for reference, row in zip(labels, rows, strict=True):
        for k, count in enumerate(row):
            label = labels[k] if k < len(labels) else None
            failure = None if label else "no emotion word"
            made += [
                Prediction(
                    id=f"{reference}-{k}-{i}",
                    reference=reference,
                    label=label,
                    parse_failure=failure,
                )
                for i in range(count)
            ]
    return made


def random_predictions(
    n: int, labels: LabelSet = MER2023, seed: int = 0, right: float = 0.6, unparsed: float = 0.05
) -> list[Prediction]:
    rng = np.random.default_rng(seed)
    made = []
    for i in range(n):
        reference = labels.labels[rng.integers(len(labels.labels))]
        logits = rng.normal(size=len(labels.labels))
        if rng.random() < right:
            logits[labels.labels.index(reference)] += 3
        scores = np.exp(logits) / np.exp(logits).sum()
        failed = rng.random() < unparsed
        made.append(
            Prediction(
                id=f"clip{i:04d}",
                reference=reference,
                label=None if failed else labels.labels[int(scores.argmax())],
                parse_failure="two labels" if failed else None,
                scores=dict(zip(labels.labels, scores.tolist(), strict=True)),
                group=f"speaker{i % 12}",
            )
        )
    return made
