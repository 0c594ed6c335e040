"""The tiny corpus with twins among its training clips, and what DPO and GRPO need."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import read_manifest, write_manifest
from emollama.probe.vocabulary import PHRASES, rendered_clues
from tests.llm.training.corpus import WIDTHS, make

REASONS_ALONE = (
    "tasks.emotion.share=0", "tasks.reason.share=1", "training.micro_batch=2",
    "training.grpo.answers=3", "training.grpo.max_new_tokens=12", "training.max_steps=4",
    "training.batch_size=4",
)  # fmt: skip


ELSEWHERE = ("model.initialise_from=elsewhere", "model.streams.1.initial_weights=random")
"""For configurations that are only read."""


def make_twins(folder: Path, clips: int = 24) -> Path:
    """Write the corpus; of its clips 1 and 2, 5 and 6, ... are pairs that differ in the pitch."""
    path = make(folder, clips)
    manifest = read_manifest(folder / "manifest.jsonl")
    samples, labels = [], get_label_set("mer2023")
    for i, sample in enumerate(manifest.samples):
        high = i % 2 == 1
        truth = {
            "voice": "sad", "face": "sad", "words": "sad",
            "face_units": {"AU12": 0.9 * (i // 4 % 2), "AU4": 0.9 * (i // 8 % 2)},
            "prosody": {"pitch": "high" if high else "low", "rate": "normal"},
        }  # fmt: skip
        emotion, text = sample.targets.emotion, sample.text
        if i % 4 in (1, 2):
            truth |= {"pair": f"pair-{i // 4}", "differs": "pitch"}
            emotion, text = labels.labels[i // 4 % 6], f"This is what pair {i // 4} says."
        np.save(folder / "voice" / f"{sample.id}.npy",
                np.full((3, WIDTHS["voice"]), 2.0 if high else -2.0, np.float32))  # fmt: skip
        told = " and ".join(PHRASES[clue] for clue in sorted(rendered_clues(truth)))
        reason = f"One notices {told}, so the emotion is {emotion}."
        targets = sample.targets.model_copy(update={"reason": reason, "emotion": emotion})
        given = {"truth": truth, "targets": targets, "text": text}
        samples.append(sample.model_copy(update=given))
    write_manifest(folder / "manifest.jsonl", "tiny", labels, samples)
    return path
