"""A corpus that a fusion model learns in a second: tracks of several lengths, some clips mute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from emollama.encoders.base import FeatureTrack
from emollama.features.shards import Entry, Extracted, write_shard
from emollama.features.store import EncoderRecord, write_index, write_record
from emollama.manifest.channels import Channel
from emollama.manifest.labels import label_set
from emollama.manifest.sample import Sample, Targets, write_manifest

LABELS = label_set("three", "happy", "sad", "angry")
WIDTHS: dict[Channel, int] = {"voice": 6, "words": 4}


def fill_store(
    store: Path, key: str, channel: Channel, tracks: dict[str, np.ndarray | None]
) -> None:
    """An encoder's folder, complete, with tracks of one step a second; None is absent."""
    width = next(t.shape[1] for t in tracks.values() if t is not None)
    items = [
        Extracted(Entry(i, "s", "absent"), None)
        if values is None
        else Extracted(
            Entry(i, "s", "ok"),
            FeatureTrack(values.astype(np.float32), np.arange(len(values), dtype=np.float32)),
        )
        for i, values in tracks.items()
    ]
    folder = store / key
    write_record(folder, EncoderRecord(key, channel, width, f"made of {key}", ()))
    write_shard(folder / "0.safetensors", width, f"made of {key}", items)
    write_index(folder, [("0.safetensors", list(tracks))])


def make(folder: Path, clips: int = 48, noise: float = 1.0) -> Path:
    """Write manifest, store and `fusion.yaml`; return the last.

    Every seventh clip has no voice; the others have valence and arousal at each of its steps. Two
    clips in four train, one validates and one tests.
    """
    draw = np.random.default_rng(0)
    centres = {c: draw.normal(size=(3, width)) for c, width in WIDTHS.items()}
    tracks: dict[Channel, dict[str, np.ndarray | None]] = {c: {} for c in WIDTHS}
    samples = []
    for i in range(clips):
        name, code = f"clip-{i:03d}", int(draw.integers(3))
        for channel, width in WIDTHS.items():
            steps = 1 if channel == "words" else 1 + i % 4
            values = centres[channel][code] + noise * draw.normal(size=(steps, width))
            tracks[channel][name] = None if channel == "voice" and i % 7 == 0 else values
        shown = {x: float(k == code) * 2 for k, x in enumerate(LABELS.labels)}
        voice = tracks["voice"][name]
        targets = Targets(
            emotion=LABELS.labels[code],
            emotions=shown,
            valence=code / 2 - 0.5,
            frames=None if voice is None else f"frames/{name}.txt",
        )
        if voice is not None:
            (folder / "frames").mkdir(parents=True, exist_ok=True)
            first, second = code / 2 - 0.5, 0.4 - code / 2
            rows = [f"{first},{second + 0.1 * k}" for k in range(len(voice))]
            text = "\n".join(["valence,arousal", *rows, ""])
            (folder / "frames" / f"{name}.txt").write_text(text)
        split = ("train", "val", "train", "test")[i % 4]
        samples.append(Sample(id=name, split=split, group=f"g{i % 4}", targets=targets))
    for channel in WIDTHS:
        fill_store(folder / "store", channel, channel, tracks[channel])
    write_manifest(folder / "manifest.jsonl", "three", LABELS, samples)
    config: dict[str, Any] = {
        "output": str(folder / "run"),
        "data": {"manifest": str(folder / "manifest.jsonl"), "store": str(folder / "store")},
        "fusion": {
            "system": "early",
            "modalities": [{"name": c, "channel": c, "source": c} for c in WIDTHS],
            "options": {"dropout": 0.2},
        },
        "training": {"epochs": 5, "batch_size": 7, "learning_rate": 0.02},
    }
    path = folder / "fusion.yaml"
    path.write_text(yaml.safe_dump(config))
    return path
