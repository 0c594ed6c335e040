"""A corpus small enough to train on in a test: random tracks that tell the label, and a config."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml

from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Sample, Targets, write_manifest
from tests.tiny import tiny_llm

WIDTHS = {"voice": 12, "face": 7, "words": 5}


def make(folder: Path, clips: int = 24) -> Path:
    """Write manifest, `npy:` tracks, a tiny language model and config.yaml; return the last."""
    labels = get_label_set("mer2023")
    draw = np.random.default_rng(0)
    centres = {name: draw.normal(size=(6, width)) for name, width in WIDTHS.items()}
    samples = []
    for i in range(clips):
        label = labels.labels[i % 6]
        samples.append(
            Sample(
                id=f"clip-{i:03d}",
                text=f"This is sentence {i}.",
                split="train" if i % 4 else "val",
                group=f"g{i % 4}",
                targets=Targets(
                    emotion=label, reason=f"The voice sounds {label}, so it is {label}."
                ),
            )
        )
        for name, width in WIDTHS.items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            values = centres[name][i % 6] + 0.1 * draw.normal(size=(3, width))
            np.save(folder / name / f"clip-{i:03d}.npy", values.astype(np.float32))
    write_manifest(folder / "manifest.jsonl", "tiny", labels, samples)
    tiny_llm(folder / "llm")
    config = {
        "output": str(folder / "run"),
        "data": {"manifest": str(folder / "manifest.jsonl")},
        "model": {
            "llm": str(folder / "llm"),
            "dtype": "float32",
            "streams": [
                {"name": "voice", "channel": "voice", "source": f"npy:{folder / 'voice'}",
                 "tokens": 2, "dropout": 0.1},
                {"name": "face", "channel": "face", "source": f"npy:{folder / 'face'}",
                 "initial_weights": "probe", "dropout": 0.0},
            ],
            "lora": {"r": 4, "alpha": 8, "dropout": 0.1},
        },
        "tasks": {"reason": {"share": 0.5, "weight": 0.5}},
        "modality_dropout": {"voice": 0.2, "face": 0.2, "words": 0.2},
        "training": {
            "max_steps": 6, "batch_size": 4, "micro_batch": 4, "learning_rate": 0.01,
            "warmup_steps": 1, "log_every_steps": 1, "save_every_steps": 2,
        },
    }  # fmt: skip
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path
