"""Prosody against signals whose pitch, level, syllables and pauses are known."""

from __future__ import annotations

import time

import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.encoders.prosody import COLUMNS, ProsodyEncoder, _smooth, measure
from emollama.encoders.table import parse_encoder
from emollama.media.clip import SAMPLE_RATE, Clip


def clip(audio: np.ndarray | None, seconds: float = 3.0) -> Clip:
    return Clip(None, None if audio is None else audio.astype(np.float32), seconds)


def harmonics(f0: np.ndarray | float, seconds: float = 3.0, count: int = 8) -> np.ndarray:
    """A buzz: `count` harmonics of f0 Hz, which may move, falling by 6 dB an octave."""
    n = round(seconds * SAMPLE_RATE)
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(f0, n)) / SAMPLE_RATE
    return 0.1 * sum(np.sin(k * phase) / k for k in range(1, count + 1))


def measured(audio: np.ndarray) -> dict[str, float]:
    track = ProsodyEncoder().encode([clip(audio, len(audio) / SAMPLE_RATE)])[0]
    assert track is not None
    assert track.values.shape == (1, len(COLUMNS)) and track.values.dtype == np.float32
    assert np.isfinite(track.values).all()
    return dict(zip(COLUMNS, track.values[0].tolist(), strict=True))


@pytest.mark.parametrize("count", [1, 8])
@pytest.mark.parametrize("f0", [75.0, 120.0, 233.0, 500.0])
def test_pitch_of_tones_is_within_two_percent(f0: float, count: int) -> None:
    got = 55 * 2 ** (measured(harmonics(f0, count=count))["f0_mean"] / 12)
    assert got == pytest.approx(f0, rel=0.02)


def test_pitch_follows_a_sweep_frame_by_frame() -> None:
    truth = 110 * 2 ** (np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE / 3)  # an octave up in 3 s
    contour = measure(harmonics(truth))
    voiced = contour.f0 > 0
    assert voiced.mean() > 0.95
    expected = 110 * 2 ** (contour.times[voiced] / 3)
    assert np.abs(contour.f0[voiced] / expected - 1).max() < 0.02
    told = measured(harmonics(truth))
    assert told["f0_slope"] == pytest.approx(4.0, rel=0.03)  # semitones a second
    assert told["f0_range"] == pytest.approx(0.9 * 12, rel=0.03)
    assert told["f0_mean"] == pytest.approx(12 + 6, abs=0.3)


def test_pitch_survives_noise_at_15_db() -> None:
    buzz = harmonics(180.0)
    noise = np.random.default_rng(3).standard_normal(len(buzz)) * buzz.std() * 10 ** (-15 / 20)
    assert 55 * 2 ** (measured(buzz + noise)["f0_mean"] / 12) == pytest.approx(180, rel=0.02)


def test_noise_is_mostly_unvoiced_and_still_has_numbers() -> None:
    told = measured(0.1 * np.random.default_rng(0).standard_normal(3 * SAMPLE_RATE))
    assert told["voiced_fraction"] < 0.1
    assert told["speech_rate"] < 0.5


def test_six_decibels_louder_moves_the_energy_and_nothing_else() -> None:
    quiet = harmonics(150.0) * (1.2 + np.sin(2 * np.pi * np.arange(48_000) / 8_000)) / 4
    soft, loud = measured(quiet), measured(quiet * 10 ** (6 / 20))
    assert loud.pop("energy_mean") - soft.pop("energy_mean") == pytest.approx(6.0, abs=0.05)
    assert loud == pytest.approx(soft, abs=0.02)


def test_syllables_and_pauses_are_counted() -> None:
    # Four bursts of 0.2 s, 0.05 s apart, then 0.5 s of silence, then four more; silent ends.
    burst = harmonics(140.0, 0.2) * np.hanning(3200)
    word = np.concatenate([np.concatenate([burst, np.zeros(800)]) for _ in range(4)])[:-800]
    rest = np.zeros(8000)
    told = measured(np.concatenate([rest, word, rest, word, rest]))
    assert told["pause_count"] == 1
    assert told["pause_seconds"] == pytest.approx(0.5, abs=0.12)
    span = 2 * len(word) / SAMPLE_RATE + 0.5
    assert told["speech_rate"] * span == pytest.approx(8, rel=0.06)
    assert told["pause_fraction"] == pytest.approx(0.5 / span, abs=0.06)
    assert told["duration"] == pytest.approx(span + 1.0)


def test_no_sound_and_silence_are_no_track() -> None:
    hiss = 1e-5 * np.random.default_rng(1).standard_normal(SAMPLE_RATE)
    silent = [None, np.zeros(48_000), np.zeros(0), np.ones(100), np.full(16_000, 0.5), hiss]
    assert ProsodyEncoder().encode([clip(audio) for audio in silent]) == [None] * len(silent)


def test_segments_are_measured_apart_and_batch_mates_change_nothing() -> None:
    rising = np.concatenate([harmonics(110.0, 1.5), harmonics(220.0, 1.5)])
    encoder = ProsodyEncoder(segments=2)
    alone = encoder.encode([clip(rising)])[0]
    mates = encoder.encode([clip(harmonics(90.0)), clip(None), clip(rising)])[2]
    assert alone is not None and mates is not None
    np.testing.assert_array_equal(alone.values, mates.values)
    np.testing.assert_allclose(alone.values[:, 0], [12, 24], atol=0.3)
    np.testing.assert_allclose(alone.times, [0.75, 2.25])
    short = ProsodyEncoder(segments=50).encode([clip(harmonics(200.0, 0.2), 0.2)])[0]
    assert short is not None and short.values.shape == (50, len(COLUMNS))
    assert np.isfinite(short.values).all()


def test_the_table_builds_it_and_options_change_the_fingerprint() -> None:
    one, two = parse_encoder("prosody"), parse_encoder("prosody+segments=2")
    assert (one.channel, one.frames, one.width) == ("voice", 0, len(one.columns))
    assert one.fingerprint == ProsodyEncoder().fingerprint != two.fingerprint
    with pytest.raises(EmollamaError, match="segments must be 1 to 1000, not 0"):
        parse_encoder("prosody+segments=0")


def test_three_seconds_cost_at_most_25_ms_of_one_core() -> None:
    voice = clip(harmonics(150.0))
    encoder = ProsodyEncoder()
    encoder.encode([voice])
    costs = []
    for _ in range(5):
        before = time.process_time()
        encoder.encode([voice])
        costs.append(time.process_time() - before)
    assert min(costs) < 0.025


def test_an_octave_leap_is_no_pitch() -> None:
    """YIN's usual mistake is the double or half of the pitch around it."""
    f0 = np.full(20, 200.0)
    f0[[6, 13]] = 400.0, 100.0
    steady = _smooth(f0)
    assert np.flatnonzero(steady == 0).tolist() == [6, 13]
    assert np.all(steady[[5, 7, 12, 14]] == 200.0)
