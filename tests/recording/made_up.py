"""Blocks and tracks of made-up people, for what is done with them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emollama.recording.parts import FACE_RATE, LIP_RATE, FaceTrack
from emollama.recording.voices import VOICE_RATE, VoiceBlock

Said = tuple[float, float, int]
"""Start, end, and who."""


def blocks(said: Sequence[Said], seconds: float, length: float = 30.0) -> list[VoiceBlock]:
    """Blocks of a recording in which voices as different as can be say something."""
    generator = np.random.default_rng(0)
    voices = np.abs(generator.normal(size=(5, 256))) * (generator.random((5, 256)) < 0.3)
    found = []
    for start in np.arange(0, seconds, length).tolist():
        end = min(start + length, seconds)
        times = start + (np.arange(round((end - start) / 0.032)) + 0.5) * 0.032
        moments = start + (np.arange(round((end - start) * VOICE_RATE)) + 0.5) / VOICE_RATE
        chances, loud = np.zeros(len(times), np.float32), np.full(len(moments), -70.0)
        windows, vectors = [], []
        for low, high, who in said:
            chances[(times >= low) & (times < high)] = 1
            inside = (moments >= low) & (moments < high)
            loud[inside] = -25 + 5 * np.sin(9 * moments[inside])
            wide = min(high - low, 1.6)
            for first in np.linspace(low, high - wide, 5).tolist():
                last = first + wide
                if start < last <= end:
                    vector = voices[who] + 0.1 * np.abs(generator.normal(size=256))
                    windows.append((first, last))
                    vectors.append(vector / np.linalg.norm(vector))
        found.append(
            VoiceBlock(
                start, end, chances, np.array(windows).reshape(-1, 2), loud.astype(np.float32),
                np.full(len(moments), np.nan, np.float32),
                np.array(vectors, np.float32).reshape(-1, 256),
            )
        )  # fmt: skip
    return found


def track(
    start: float, end: float, speaks: Sequence[tuple[float, float]] = (), restless: float = 0.0
) -> FaceTrack:
    """A face whose lips move while it speaks, and by `restless` at any time."""
    times = np.arange(start, end, 1 / FACE_RATE)
    moments = np.arange(start, end, 1 / LIP_RATE)
    lips = 0.05 + restless * np.abs(np.sin(7.3 * moments + start))
    for low, high in speaks:
        inside = (moments >= low) & (moments < high)
        lips[inside] += 0.3 + 0.1 * np.sin(9 * moments[inside])
    return FaceTrack(
        times, np.tile(np.array([0.4, 0.2, 0.6, 0.5], np.float32), (len(times), 1)),
        np.ones(len(times), np.float32), np.full((len(times), 7), 1 / 7, np.float32), moments,
        lips.astype(np.float32), np.zeros(4, np.float32),
    )  # fmt: skip
