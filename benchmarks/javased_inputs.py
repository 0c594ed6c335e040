"""Do more frames, the face's changes or more layers of Whisper help on Java-SED?

python -m benchmarks.javased_inputs runs/people/javased.jsonl runs/people/features

Logistic regression, one actor of six left out; each actor's mean over all their clips is removed
(transductive), and columns are scaled over everybody. Prints UAR for each candidate, alone and with
the inputs that are in use. Every encoder below must have been extracted into the store.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from emollama.base.errors import EmollamaError, one_line_errors
from emollama.features.store import open_tracks
from emollama.manifest.sample import Sample, read_manifest
from emollama.scoring.report.cells import Table
from emollama.scoring.report.tables import table_markdown

STRENGTH = 0.01
"""C of the regression, fixed beforehand."""
WHISPER = "whisper-tiny.en+layer={}+segments=12"
PROSODY = "prosody+segments=1"
FACES = {
    "face: mean of 8 frames (in use)": ("expression+frames=8", "mean"),
    "face: mean of 24 frames": ("expression+frames=24", "mean"),
    "face: mean and deviation of 24": ("expression+frames=24", "mean+std"),
    "face: mean and largest of 24": ("expression+frames=24", "mean+max"),
    "face: mean, deviation and change of 24": ("expression+frames=24", "mean+std+change"),
}
VOICES = {
    "voice: layer 2 (in use)": ((2,), "mean"),
    "voice: layer 2, mean and deviation": ((2,), "mean+std"),
    "voice: layer 1, mean and deviation": ((1,), "mean+std"),
    "voice: layers 2 and 4": ((2, 4), "mean"),
    "voice: layers 1 to 4": ((1, 2, 3, 4), "mean"),
    "voice: layers 1 to 4, mean and deviation": ((1, 2, 3, 4), "mean+std"),
}
_POOLS = {
    "mean": lambda x: x.mean(axis=0),
    "std": lambda x: x.std(axis=0),
    "max": lambda x: x.max(axis=0),
    "change": lambda x: np.abs(np.diff(x, axis=0)).mean(axis=0),
}


def clip_features(store: Path, key: str, pools: str, samples: list[Sample]) -> np.ndarray:
    """Pooled tracks [n, D], each person's mean removed, scaled over everybody; 0 where absent."""
    reader = open_tracks(store, key)
    how = [_POOLS[name] for name in pools.split("+")]
    values = np.full((len(samples), len(how) * reader.width), np.nan)
    for i, sample in enumerate(samples):
        if (track := reader.get(sample.id)) is not None:
            values[i] = np.concatenate([pool(track.values) for pool in how])
    people = np.array([s.speaker or s.group for s in samples])
    for person in np.unique(people):
        values[people == person] -= np.nanmean(values[people == person], axis=0)
    values = np.nan_to_num(values)
    return values / np.maximum(values.std(axis=0), 1e-6)


def left_out_uar(features: np.ndarray, samples: list[Sample]) -> float:
    """UAR over all clips, each answered by a regression without its person."""
    labels = np.array([str(s.targets.emotion) for s in samples])
    people = np.array([s.speaker or s.group for s in samples])
    answers = np.empty_like(labels)
    for person in np.unique(people):
        tested = people == person
        model = LogisticRegression(C=STRENGTH, max_iter=1000)
        answers[tested] = model.fit(features[~tested], labels[~tested]).predict(features[tested])
    return float(np.mean([(answers[labels == k] == k).mean() for k in np.unique(labels)]))


def inputs_table(manifest: Path, store: Path) -> Table:
    """All candidates."""
    samples = list(read_manifest(manifest).samples)
    prosody = clip_features(store, PROSODY, "mean", samples)
    faces = {n: clip_features(store, *spec, samples) for n, spec in FACES.items()}
    voices: Mapping[str, np.ndarray] = {
        name: np.hstack(
            [prosody, *(clip_features(store, WHISPER.format(k), how, samples) for k in layers)]
        )
        for name, (layers, how) in VOICES.items()
    }
    voice, face = next(iter(voices.values())), next(iter(faces.values()))
    rows = [
        *((n, x, np.hstack([voice, x])) for n, x in faces.items()),
        *((n, x, np.hstack([x, face])) for n, x in voices.items()),
    ]
    return Table(
        f"Java-SED, {len(samples)} clips, UAR",
        ("input", "alone", "with the other channel in use"),
        tuple(
            (n, f"{left_out_uar(a, samples):.3f}", f"{left_out_uar(b, samples):.3f}")
            for n, a, b in rows
        ),
    )


@one_line_errors
def main() -> None:
    """Entry point."""
    if len(sys.argv) != 3:
        raise EmollamaError("python -m benchmarks.javased_inputs MANIFEST STORE")
    print(table_markdown(inputs_table(Path(sys.argv[1]), Path(sys.argv[2]))))


if __name__ == "__main__":
    main()
