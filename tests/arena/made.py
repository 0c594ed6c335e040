"""Films of a second with a voice, their manifest, and an arena over them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from emollama.arena.configuration import ArenaConfig
from emollama.manifest.labels import label_set
from emollama.manifest.sample import Manifest, Sample, Targets, read_manifest, write_manifest
from emollama.probe.render import write_film
from tests.media.vowels import vowels

LABELS = ("happy", "sad", "angry", "neutral")
RATE = 16_000


def film(path: Path, pitch: float, seconds: float = 1.0) -> None:
    """A film of 32 × 32 pixels with a vowel of this pitch."""
    draw = np.random.default_rng(round(pitch))
    frames = draw.integers(0, 255, (round(25 * seconds), 32, 32, 3), dtype=np.uint8)
    write_film(path, frames, vowels(pitch, seconds), RATE)


def clips(folder: Path, count: int) -> Manifest:
    """Films whose voice and words show the emotion of the clip or of the next one, in turn."""
    folder.mkdir(exist_ok=True)
    samples = []
    for k in range(count):
        film(folder / f"{k}.mp4", 100 + 10 * k)
        voice, words = LABELS[k % 4], LABELS[(k + k % 2) % 4]
        samples.append(
            Sample(
                id=f"clip-{k}", video=f"{k}.mp4", text=f"Sentence {k}.", split="test",
                targets=Targets(emotion=voice), truth={"voice": voice, "words": words},
            )
        )  # fmt: skip
    path = folder / "manifest.jsonl"
    write_manifest(path, "made", label_set("made", *LABELS), samples)
    return read_manifest(path)


def arena(manifest: Manifest, out: Path, contestants: dict[str, Any], **more: Any) -> ArenaConfig:
    """An arena of two wordings, two orders and two ablations: five questions a clip."""
    prompts = {"one": "Which emotion? {labels}", "two": "Choose one of: {labels}."}
    values = {
        "output": out, "data": {"manifest": manifest.path}, "contestants": contestants,
        "prompts": prompts, "orders": 2, "ablations": ["mute", "wordless"], "bootstrap": 100,
    }  # fmt: skip
    return ArenaConfig.model_validate(values | more)


def endpoint(url: str, model: str, **more: Any) -> dict[str, Any]:
    """A contestant that gets two frames and the sound, and is asked again at once."""
    return {
        "url": url, "model": model, "sends": "frames+sound", "frames": 2, "pause": 0.0,
        "timeout": 5.0, **more,
    }  # fmt: skip
