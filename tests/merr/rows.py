"""A build whose measured rows are written by hand: no media, no models, any number of clips."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from emollama.merr.build import Build
from emollama.merr.settings import Settings

SAYINGS = (
    "We won the prize, this is wonderful.",
    "I lost everything I had.",
    "You lied to me again.",
    "The building has five floors.",
)


@contextmanager
def quiet(unit: str) -> Iterator[Any]:
    del unit
    yield lambda done, total: None


def build(out: Path, **settings: Any) -> Build:
    made = Build(out, Settings(**{"labels": "mer2023", **settings}), bar=quiet, echo=_nothing)
    made.stages.mkdir(parents=True, exist_ok=True)
    return made


def _nothing(text: str) -> None:
    del text


def write(made: Build, name: str, rows: list[dict[str, Any]]) -> None:
    lines = [json.dumps({"key": f"{i:020x}", **row}) for i, row in enumerate(rows)]
    text = "".join(line.replace(": ", ":", 1) + "\n" for line in lines)
    (made.stages / f"{name}.jsonl").write_text(text)


UNITS = ["AU01", "AU04", "AU06", "AU12", "AU15", "AU26"]
SMILE = [0.0, 0.0, 2.0, 3.0, 0.0, 0.5]
FROWN = [2.0, 1.5, 0.0, 0.0, 2.5, 0.0]


def measured(made: Build, clips: int) -> None:
    """Rows of clips, units, voice, transcript and words: smiles and frowns in turns."""
    ids = [f"clip-{i:04d}" for i in range(clips)]
    voice = {"f0_mean": 12.0, "f0_range": 5.0, "energy_mean": -20.0, "speech_rate": 4.0}
    write(made, "clips", [
        {"id": c, "status": "ok", "content": f"hash-{i}", "seconds": 3.0, "pictures": 75,
         "sound": True, "video": f"media/{c}.mp4"}
        for i, c in enumerate(ids)
    ])  # fmt: skip
    write(made, "units", [
        {"id": c, "status": "ok", "backend": "openface", "signs": UNITS, "frames": [0, 5, 10],
         "times": [0.0, 0.2, 0.4], "found": [1, 1, 1],
         "values": [[v * k for v in (SMILE if i % 2 else FROWN)] for k in (0.5, 1.0, 0.8)]}
        for i, c in enumerate(ids)
    ])  # fmt: skip
    write(made, "voice", [
        {"id": c, "status": "ok",
         "prosody": {n: v + (2.0 if i % 2 else -2.0) + 0.01 * i for n, v in voice.items()}}
        for i, c in enumerate(ids)
    ])  # fmt: skip
    write(made, "transcript", [
        {"id": c, "status": "ok", "source": "given", "text": f"{SAYINGS[i % 4]} {i}"}
        for i, c in enumerate(ids)
    ])  # fmt: skip
    write(made, "words", [{"id": c, "status": "ok", "similar": None} for c in ids])


def described(made: Build, clips: int) -> None:
    """All up to the captions, by the stages themselves."""
    from emollama.merr.stages import STAGES

    measured(made, clips)
    for name in ("norms", "emotion", "peak", "visual", "tone", "caption"):
        STAGES[name].run(made)
