"""A sound that counts as speech: gliding vowels in syllables, made from formants."""

from __future__ import annotations

import numpy as np


def vowels(f0: float, seconds: float, rate: int = 16_000) -> np.ndarray:
    """float32 [n] at a peak of 0.3; `f0` of 70 to 280 Hz is the mean pitch. 0 is silence."""
    count = round(seconds * rate)
    if f0 == 0:
        return np.zeros(count, np.float32)
    t = np.arange(count) / rate
    pitch = f0 * (1 + 0.06 * np.sin(2 * np.pi * 2.3 * t) + 0.02 * np.sin(2 * np.pi * 5.1 * t))
    turns = np.cumsum(pitch) / rate
    glide = 0.5 + 0.5 * np.sin(2 * np.pi * 1.75 * t)
    formants = ((300 + 450 * glide, 90, 1.0), (2200 - 1000 * glide, 120, 0.5), (2800, 180, 0.25))
    sound = np.zeros(count)
    for k in range(1, int(4000 / f0)):
        loud = 0.01 + sum(
            part / (1 + ((k * pitch - at) / width) ** 2) for at, width, part in formants
        )
        sound += loud / k**0.3 * np.sin(2 * np.pi * k * turns)
    sound *= 0.1 + 0.9 * np.sqrt(np.clip(np.sin(2 * np.pi * 3.5 * t), 0, None))
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)
