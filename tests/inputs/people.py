"""A corpus whose people lie further apart than their emotions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from emollama.manifest.channels import Channel
from emollama.manifest.labels import label_set
from emollama.manifest.sample import Sample, Targets, write_manifest
from tests.fusion.corpus import fill_store

LABELS = label_set("four", "neutral", "happy", "sad", "angry")
WIDTHS: dict[Channel, int] = {"voice": 12, "face": 8}
PEOPLE, CLIPS = 12, 24
TESTED = 4
"""The last people are tested; the one before them validates."""


def make_people(folder: Path) -> Path:
    """Write manifest.jsonl and a store; return the manifest. Every ninth clip has no face."""
    draw = np.random.default_rng(3)
    centres = {c: draw.normal(size=(4, width)) for c, width in WIDTHS.items()}
    tracks: dict[Channel, dict[str, np.ndarray | None]] = {c: {} for c in WIDTHS}
    samples = []
    for person in range(PEOPLE):
        offset = {c: 2 * draw.normal(size=width) for c, width in WIDTHS.items()}
        split = "test" if person >= PEOPLE - TESTED else "val" if person == 7 else "train"
        for clip in range(CLIPS):
            name, label = f"p{person:02d}-{clip:02d}", clip % 4
            for channel, width in WIDTHS.items():
                noise = 0.8 * draw.normal(size=(1 + clip % 3, width))
                values = offset[channel] + centres[channel][label] + noise
                absent = channel == "face" and clip % 9 == 8
                tracks[channel][name] = None if absent else values
            samples.append(
                Sample(
                    id=name,
                    text=f"Sentence {clip}.",
                    speaker=f"p{person:02d}",
                    group=f"p{person:02d}",
                    split=split,
                    targets=Targets(emotion=LABELS.labels[label]),
                )
            )
    for channel in WIDTHS:
        fill_store(folder / "store", channel, channel, tracks[channel])
    write_manifest(folder / "manifest.jsonl", "four", LABELS, samples)
    return folder / "manifest.jsonl"
