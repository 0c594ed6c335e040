"""How good a build's labels are, and how far a regression gets that learns them.

python -m benchmarks.annotation.built_labels OUT --truth MANIFEST --store STORE

OUT is a folder of `emollama annotate build`, MANIFEST the same clips and test clips with the true
labels, STORE their features. The regression learns the training split's labels, as such and as
probabilities, and the true ones, and answers for the test split of MANIFEST: a cheap stand-in for a
model that is trained on the build.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.preprocessing import StandardScaler

from benchmarks.measure import show
from emollama.features.store import FeatureStore
from emollama.manifest.sample import Sample, read_manifest
from emollama.merr.emotion import EMOTION
from emollama.merr.stagefile import read_rows

STRENGTH = 0.01


def features(store: Path, samples: Sequence[Sample]) -> np.ndarray:
    """[n, columns]: of all encoders, averaged over time; 0 where a channel is absent."""
    found = FeatureStore.open(store)
    blocks = []
    for name in found.encoders():
        reader = found.reader(name)
        tracks = [reader.get(sample.id) for sample in samples]
        empty = np.zeros(reader.width)
        blocks.append([empty if t is None else t.values.mean(axis=0) for t in tracks])
    return np.concatenate([np.array(block) for block in blocks], axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--store", type=Path, required=True)
    options = parser.parse_args()
    truth = read_manifest(options.truth)
    labels = truth.labels.labels
    rows = {row["id"]: row for row in read_rows(options.out / "stages" / f"{EMOTION}.jsonl")}
    train = [s for s in truth.samples if s.split == "train" and rows.get(s.id, {}).get("total")]
    test = [s for s in truth.samples if s.split == "test"]
    shares = np.exp([[rows[s.id]["total"].get(k, -np.inf) for k in labels] for s in train])
    known = np.array([labels.index(str(s.targets.emotion)) for s in train])
    wanted = np.array([labels.index(str(s.targets.emotion)) for s in test])
    scaler = StandardScaler().fit(features(options.store, train))
    shown, asked = (scaler.transform(features(options.store, part)) for part in (train, test))

    def learned(weights: np.ndarray) -> float:
        """Weighted F1 on the test split after learning probabilities [n, K]."""
        at, columns = np.nonzero(weights > 1e-3)
        model = LogisticRegression(C=STRENGTH, max_iter=1000)
        model.fit(shown[at], columns, sample_weight=weights[at, columns])
        return round(float(f1_score(wanted, model.predict(asked), average="weighted")), 3)

    one = np.eye(len(labels))
    of_truth = shares[np.arange(len(known)), known]
    right = round(float((shares.argmax(1) == known).mean()), 3)
    rows_shown = [
        {"learned from": "labels", "true labels": right, "log-loss": "",
         "weighted F1": learned(one[shares.argmax(1)])},
        {"learned from": "probabilities", "true labels": "",
         "log-loss": round(float(-np.log(np.maximum(of_truth, 1e-4)).mean()), 3),
         "weighted F1": learned(shares)},
        {"learned from": "the truth", "true labels": 1.0, "log-loss": 0.0,
         "weighted F1": learned(one[known])},
    ]  # fmt: skip
    show("labels of a build", rows_shown, train=len(train), test=len(test))


if __name__ == "__main__":
    main()
