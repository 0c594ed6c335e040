"""Limits of a clip are those of its packets, whatever its header says."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import av
import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.media.lengths import track_lengths
from emollama.media.whispers import Whisper
from emollama.serving.decoders import DecoderPool, Job, require_within
from emollama.serving.refusal import Refusal
from emollama.serving.settings import Settings
from emollama.session import Session


class Pipe(io.RawIOBase):
    """A file that cannot be rewound, so that no length is written into its header."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("wb")

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        return self.file.write(data)


class Made:
    """A process that needs too long for one clip."""

    def send(self, job: Job) -> None:
        self.job = job

    def receive(self, seconds: float) -> tuple[str, None]:
        if self.job.path.name == "slow":
            raise TimeoutError
        return "done", None

    def end(self) -> None:
        pass


def test_whoever_is_started_works_before_another_is_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    observer = SimpleNamespace(encoders={}, tools={}, describe=True, whisper=Whisper())
    pool = DecoderPool(cast(Session, SimpleNamespace(observer=observer)), Settings(watchers=2))
    started: list[Made] = []
    monkeypatch.setattr(pool, "_start", lambda: started.append(Made()) or started[-1])
    pool.start(2)
    with pytest.raises(Refusal, match="took longer"):
        pool.inspect(Path("slow"))
    pool.inspect(Path("fine"))
    assert len(started) == 2


def test_a_clip_without_a_stated_length_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "streamed.mkv"
    pipe = Pipe(path)
    with av.open(pipe, "w", format="matroska") as target:
        stream = target.add_stream("flac", rate=8_000, layout="mono")
        for start in range(0, 30 * 8_000, 800):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
            frame.sample_rate, frame.pts = 8_000, start
            target.mux(stream.encode(frame))
    pipe.file.close()
    assert track_lengths(path).stated is None
    require_within(path, Settings(max_seconds=31))
    with pytest.raises(EmollamaError, match="it lasts 30 s; a clip may last at most 20 s"):
        require_within(path, Settings(max_seconds=20))
