"""Predictions made up for tests, with known scores."""

from __future__ import annotations

import numpy as np

from emollama.evaluation.baseline import FeatureMatrix
from emollama.manifest.channels import CHANNELS, Channel
from emollama.manifest.labels import LabelSet, get_label_set
from emollama.manifest.sample import Sample, Targets
from emollama.scoring.predictions.prediction import Prediction

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


def samples_with_features(
    n: int, seed: int = 0, noise: float = 1.0, agree: float = 0.65
) -> tuple[list[Sample], dict[Channel, list[FeatureMatrix]]]:
    """Samples whose channels each show the intended emotion with probability `agree`.

    Splits train, val and test in the ratio 3 : 1 : 2; one clip in ten has no face.
    """
    rng = np.random.default_rng(seed)
    labels = MER2023.labels
    size = len(labels)
    intended = rng.integers(size, size=n)
    samples = []
    shown = {
        c: np.where(rng.random(n) < agree, intended, rng.integers(size, size=n)) for c in CHANNELS
    }
    for i in range(n):
        split = ("train", "train", "train", "val", "test", "test")[i % 6]
        truth = {c: labels[shown[c][i]] for c in CHANNELS}
        samples.append(
            Sample(
                id=f"clip{i:04d}",
                split=split,
                group=f"speaker{i % 12}",
                targets=Targets(emotion=labels[intended[i]]),
                truth=truth,
            )
        )
    ids = tuple(s.id for s in samples)
    features = {}
    for c, width in zip(CHANNELS, (24, 12, 16), strict=True):
        values = np.eye(size)[shown[c]] @ rng.normal(size=(size, width))
        values += rng.normal(scale=noise, size=values.shape)
        present = rng.random(n) > 0.1 if c == "face" else np.ones(n, dtype=bool)
        features[c] = [FeatureMatrix(c, ids, values.astype(np.float32), present)]
    return samples, features


def of_split(samples: list[Sample], split: str) -> list[Sample]:
    return [s for s in samples if s.split == split]
