"""Pitch that is drawn stays in its octave; what models were trained on is not touched."""

from __future__ import annotations

import numpy as np

from emollama.encoders.pitch import drawn_contour, without_octave_errors
from emollama.encoders.prosody import measure
from emollama.media.clip import SAMPLE_RATE


def leaps(f0: np.ndarray) -> int:
    """Neighbouring voiced frames more than .7 octaves apart."""
    heard = np.log2(f0[f0 > 0])
    return int((np.abs(np.diff(heard)) > 0.7).sum())


def test_a_voice_that_creaks_for_a_moment_stays_in_its_octave() -> None:
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    phase = 2 * np.pi * np.cumsum(180 + 30 * np.sin(2 * np.pi * time)) / SAMPLE_RATE
    # Every other period is weaker for 120 ms: twice the period fits as well, or better.
    creaks = (time > 0.9) & (time < 1.02)
    sound = sum(np.sin(k * phase) / k for k in range(1, 9)) + creaks * np.sin(phase / 2)
    audio = (0.1 * sound).astype(np.float32)
    plain, drawn = measure(audio), drawn_contour(audio)
    assert leaps(plain.f0) == 2 and leaps(drawn.f0) == 0
    inside = (drawn.times > 0.92) & (drawn.times < 1.0) & (drawn.f0 > 0)
    assert inside.any() and (np.abs(drawn.f0[inside] / 187 - 1) < 0.15).all()
    assert np.array_equal(drawn.energy, plain.energy) and ((drawn.f0 > 0) == (plain.f0 > 0)).all()


def test_another_voice_and_a_leap_that_lasts_are_left() -> None:
    times = np.arange(300) / 100
    f0 = np.where(times < 1, 110.0, 225.0)
    f0[80:100] = 0.0  # a pause between two people
    f0[250:] = 115.0  # the first one, at once
    assert np.allclose(without_octave_errors(times, f0), f0)
    assert not without_octave_errors(times, np.zeros(300)).any()
