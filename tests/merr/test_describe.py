"""Peak frames and voices sent to a model: as a JPEG and a WAV, of the right moment."""

from __future__ import annotations

import base64
import io
import wave
from pathlib import Path

import numpy as np
from PIL import Image

from emollama.base.files import read_json
from emollama.merr.caption import run_caption
from emollama.merr.describe import run_tone, run_visual
from emollama.merr.stagefile import read_rows
from emollama.merr.stages import STAGES
from tests.media.recording import record
from tests.merr.rows import build, measured, write
from tests.merr.standin import stand_in


def test_a_model_is_shown_the_peak_frame_and_played_the_voice(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    record(tmp_path / "media" / "clip-0000.mp4", seconds=1.0, size=(64, 48))
    record(tmp_path / "media" / "clip-0001.mp4", seconds=1.0, size=(64, 40))
    with stand_in() as server:
        model = {"kind": "endpoint", "url": server.url, "model": "eyes"}
        made = build(tmp_path, visual=model, tone=model)
        measured(made, 2)
        for name in ("norms", "emotion", "peak"):
            STAGES[name].run(made)
        assert run_visual(made).went == 2
        assert run_tone(made).went == 2
        run_caption(made)
        parts = [b["messages"][1]["content"][1] for b in server.bodies]
        pictures = [p["image_url"]["url"] for p in parts if p["type"] == "image_url"]
        sounds = [p["input_audio"]["data"] for p in parts if p["type"] == "input_audio"]
        # Both clips hold the same tone, and what is the same is not asked twice.
        assert len(pictures) == 2 and len(sounds) == 1
        images = [Image.open(io.BytesIO(base64.b64decode(p.split(",", 1)[1]))) for p in pictures]
        image = max(images, key=lambda i: i.height)
        # The recording's grey tells the time: the peak is at 0.2 s, 4 levels above 20.
        assert image.size == (64, 48) and abs(int(np.asarray(image)[40, 50, 0]) - 24) <= 2
        with wave.open(io.BytesIO(base64.b64decode(sounds[0]))) as sound:
            assert sound.getframerate() == 16_000 and abs(sound.getnframes() - 16_000) < 2_000
    row = next(read_rows(tmp_path / "stages" / "caption.jsonl"))
    assert row["clues"]["picture"] == "A person in front of a plain wall."
    kept = read_json(next((tmp_path / "answers" / "visual").glob("*/*.json")))
    told = kept["messages"][1]["content"][1]["image_url"]["url"]
    assert told.startswith("sha256:") and len(kept["answer"]) < 100


def test_a_sound_with_units_of_its_own_is_described_from_them(tmp_path: Path) -> None:
    with stand_in() as server:
        made = build(tmp_path, visual={"kind": "endpoint", "url": server.url, "model": "eyes"})
        measured(made, 2)
        rows = [{**row, "video": None, "audio": "a.wav"}
                for row in read_rows(made.stages / "clips.jsonl")]  # fmt: skip
        write(made, "clips", rows)
        for name in ("norms", "emotion", "peak"):
            STAGES[name].run(made)
        assert run_visual(made).went == 2 and not server.bodies
