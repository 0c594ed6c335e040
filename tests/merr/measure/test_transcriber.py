"""Words where somebody speaks, none where nobody does; what the signal holds decides it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emollama.media.decode import decode_clip
from emollama.merr.measure.transcriber import TranscriptRows
from emollama.probe.plan import Settings, plan_clip
from emollama.probe.render import render_clip
from emollama.probe.voice import Speaker

NOISE = np.random.default_rng(0).normal(0, 0.05, 32_000).astype(np.float32)
CLICK = np.zeros(32_000, np.float32)
CLICK[9_000:9_200] = 0.8


@pytest.fixture(scope="module")
def rows() -> TranscriptRows:
    return TranscriptRows()


@pytest.mark.parametrize("sound", [np.zeros(32_000, np.float32), NOISE, CLICK, NOISE[:300]])
def test_where_nobody_speaks_there_are_no_words(rows: TranscriptRows, sound: np.ndarray) -> None:
    row = rows.row(sound)
    assert (row["text"], row["note"], row["speech"]) == ("", "no speech", 0)


def test_what_is_said_is_heard_with_its_times(rows: TranscriptRows, tmp_path: Path) -> None:
    with Speaker() as speaker:
        render_clip(plan_clip(Settings(seed=5), "test", 0), speaker, tmp_path / "clip.mp4")
    audio = decode_clip(tmp_path / "clip.mp4", None, want_video=False).audio
    assert audio is not None
    row = rows.row(audio)
    seconds = len(audio) / 16_000
    assert row["text"] and " ".join(text for _, _, text in row["phrases"]) == row["text"]
    assert 0 < row["speech"] <= seconds + 0.1
    assert all(0 <= start <= end <= seconds + 0.1 for start, end, _ in row["phrases"])
