"""Nothing is transcribed where nobody speaks; what the signal holds decides it."""

from __future__ import annotations

import numpy as np

from merr.measure.transcriber import LEAST_SPEECH, Transcriber, speech_seconds


def voice(seconds: float, f0: float = 140.0) -> np.ndarray:
    """Syllables of a harmonic tone, three a second."""
    t = np.arange(int(seconds * 16_000)) / 16_000
    sound = sum(np.sin(2 * np.pi * f0 * k * t) / k for k in range(1, 12))
    return (0.1 * sound * np.clip(np.sin(2 * np.pi * 3 * t), 0.02, 1)).astype(np.float32)


def test_voices_are_speech_and_silence_noise_and_clicks_are_not() -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, 32_000).astype(np.float32)
    click = np.zeros(32_000, np.float32)
    click[9_000:9_200] = 0.8
    assert speech_seconds(voice(2.0)) > 0.5
    for silent in (np.zeros(32_000, np.float32), noise, click, voice(0.1)):
        assert speech_seconds(silent) < LEAST_SPEECH


def test_what_is_no_speech_never_reaches_the_model() -> None:
    row = Transcriber().transcribe(np.zeros(32_000, np.float32))
    assert row["text"] == "" and row["note"] == "no speech"
