"""Two corpora that a model learns together in seconds, with ids, people and labels of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from emollama.manifest.channels import Channel
from emollama.manifest.labels import label_set
from emollama.manifest.sample import Sample, Targets, write_manifest
from tests.fusion.corpus import fill_store

GERMAN = label_set("german", "neutral", "angry", "happy", "boredom")
CODES = {"neutral": "N", "angry": "W", "happy": "F", "boredom": "L"}
JAVA = label_set("java", "sad", "happy", "surprised", "angry")
WIDTHS: dict[Channel, int] = {"voice": 6, "face": 4}
COMMON = ("neutral", "happy", "sad", "angry", "surprise")


def make_corpora(folder: Path) -> dict[str, Any]:
    """Write both corpora with a store each; returns the `data` section of their mixture.

    German has 40 clips of voices only, Java 16 with faces. Of four people the first two train, the
    third validates, the fourth tests; people and clips have the same names in both.
    """
    draw = np.random.default_rng(0)
    centres = {
        channel: {x: draw.normal(size=width) for x in {*GERMAN.labels, *JAVA.labels}}
        for channel, width in WIDTHS.items()
    }
    for name, labels, clips in (("german", GERMAN, 40), ("java", JAVA, 16)):
        tracks: dict[Channel, dict[str, np.ndarray | None]] = {"voice": {}, "face": {}}
        samples = []
        for i in range(clips):
            label, person = labels.labels[i // 4 % 4], i % 4
            sample_id = f"clip-{i:02d}"
            for channel, width in WIDTHS.items():
                noise = 0.3 * draw.normal(size=(2, width))
                tracks[channel][sample_id] = centres[channel][label] + noise
            samples.append(
                Sample(
                    id=sample_id,
                    video=f"media/{sample_id}.mp4",
                    text=f"Sentence {i}.",
                    speaker=f"actor-{person}",
                    group=f"actor-{person}",
                    split=("train", "train", "val", "test")[person],
                    targets=Targets(
                        emotion=label, native=CODES[label] if name == "german" else None
                    ),
                )
            )
        for channel in WIDTHS:
            if name == "java" or channel == "voice":
                fill_store(folder / name / "store", channel, channel, tracks[channel])
        write_manifest(folder / name / "manifest.jsonl", name, labels, samples)
    return {
        "labels": list(COMMON),
        "manifests": [
            {
                "manifest": str(folder / "german/manifest.jsonl"),
                "store": str(folder / "german/store"),
                "language": "German",
                "lacks": ["face"],
            },
            {
                "manifest": str(folder / "java/manifest.jsonl"),
                "store": str(folder / "java/store"),
            },
        ],
    }
