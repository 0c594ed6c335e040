"""Limits of a clip are those of its packets, whatever its header says."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.media.lengths import track_lengths
from emollama.serving.decoders import require_within
from emollama.serving.settings import Settings


class Pipe(io.RawIOBase):
    """A file that cannot be rewound, so that no length is written into its header."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("wb")

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        return self.file.write(data)


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
