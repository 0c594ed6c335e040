"""The vectors that people are told apart by, where the user keeps them: `vectors.npz`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emollama.recording.blocks import Block
from emollama.recording.parts import Person
from emollama.recording.work import write_arrays


def write_vectors(path: Path, blocks: Sequence[Block], people: Sequence[Person]) -> None:
    """Write them for their owner alone.

    `faces` float32 [N, D] of each face track, `face_people` [N] whose it is, `face_times` [N, 2] in
    seconds; `voices` float32 [K, 256] of windows of speech, `voice_times` [K, 2].

    Raises:
        EmollamaError: the file cannot be written.
    """
    tracks = [(person.name, track) for person in people for track in person.tracks]
    heard = [block.voice for block in blocks if block.voice is not None]
    vectors = [voice.vectors for voice in heard if voice.vectors is not None]
    write_arrays(
        path,
        {
            "faces": _rows([track.appearance for _, track in tracks]),
            "face_people": np.array([name for name, _ in tracks], np.str_),
            "face_times": np.array([(t.start, t.end) for _, t in tracks]).reshape(-1, 2),
            "voices": np.concatenate([np.zeros((0, 256), np.float32), *vectors]),
            "voice_times": np.concatenate([np.zeros((0, 2)), *(v.windows for v in heard)]),
        },
    )


def _rows(vectors: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack(vectors) if vectors else np.zeros((0, 0), np.float32)
