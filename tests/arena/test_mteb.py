"""The task that is written for MTEB, as far as it can be read without it."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import pytest

from benchmarks.arena.standins import StandIns, serving
from emollama.arena.mteb import write_task
from emollama.arena.run import run_arena
from emollama.base.errors import EmollamaError
from emollama.media.decode import decode_clip
from tests.arena.made import LABELS, arena, clips, endpoint


def test_sounds_labels_and_code(tmp_path: Path) -> None:
    manifest = clips(tmp_path / "clips", 3)
    state = StandIns.of(manifest)
    with serving(state):
        one = {"first": endpoint(state.url, "first-label")}
        run_arena(arena(manifest, tmp_path / "out", one, orders=1, ablations=[]))
    task = tmp_path / "task"
    write_task(tmp_path / "out", task)
    write_task(tmp_path / "out", task)  # takes the place of the first
    rows = [json.loads(line) for line in (task / "test.jsonl").read_text().splitlines()]
    assert [(row["id"], LABELS[row["label"]]) for row in rows] == [
        (s.id, s.targets.emotion) for s in manifest.samples
    ]
    with wave.open(str(task / rows[0]["sound"])) as file:
        sound = decode_clip(tmp_path / "clips/0.mp4", want_video=False).audio
        assert (file.getframerate(), file.getnframes()) == (16_000, len(sound))
    code = (task / "task.py").read_text()
    compile(code, "task.py", "exec")
    assert "class EmollamaMadeZeroShot(AbsTaskZeroShotClassification)" in code
    assert str([f"this person is feeling {label}" for label in LABELS]) in code
    (tmp_path / "mine").mkdir()
    with pytest.raises(EmollamaError, match="is there already and holds no task"):
        write_task(tmp_path / "out", tmp_path / "mine")
