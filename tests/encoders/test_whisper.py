"""The Whisper encoder: equal to transformers' on 30 s, un-padded below, pooled as it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import WhisperFeatureExtractor, WhisperModel

from emollama.assets import fetch
from emollama.base.errors import EmollamaError
from emollama.encoders.whisper import WhisperEncoder, load_encoder, log_mel
from emollama.media.clip import SAMPLE_RATE, Clip


def clip(seconds: float, seed: int = 0) -> Clip:
    """A gliding tone with noise."""
    generator = np.random.default_rng(seed)
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tone = np.sin(2 * np.pi * (200 + 40 * seed + 30 * t) * t)
    sound = 0.3 * tone + generator.normal(0, 0.02, len(t))
    return Clip(None, sound.astype(np.float32), seconds)


def test_thirty_seconds_give_what_transformers_gives() -> None:
    folder = fetch("whisper-tiny.en")
    sound = clip(30).audio
    assert sound is not None
    features = WhisperFeatureExtractor.from_pretrained(folder)(
        sound, sampling_rate=SAMPLE_RATE, return_tensors="pt"
    ).input_features
    mel = log_mel(torch.from_numpy(sound))
    torch.testing.assert_close(mel, features[0], atol=1e-5, rtol=0)
    with torch.inference_mode():
        reference = WhisperModel.from_pretrained(folder).encoder(
            features, output_hidden_states=True
        )
        states = load_encoder(folder).states(mel, 4)
    assert len(states) == 5
    for ours, theirs in zip(states, reference.hidden_states, strict=True):
        torch.testing.assert_close(ours, theirs[0], atol=1e-3, rtol=1e-4)


def test_pooling_times_and_all_layers() -> None:
    sound = clip(2.0)
    one, every = WhisperEncoder(), WhisperEncoder(layer="all", segments=4)
    (track,), (wide,) = one.encode([sound]), every.encode([sound])
    assert track is not None and wide is not None
    assert track.values.shape == (8, one.width) == (8, 768)
    assert track.values.dtype == track.times.dtype == np.float32
    np.testing.assert_allclose(track.times, (np.arange(8) + 0.5) / 4, atol=1e-6)
    assert wide.values.shape == (4, every.width) == (4, 2 * 5 * 384)
    # Layer 2 of the wide track, mean of pairs of segments, is the mean of the narrow track.
    means = track.values[:, :384].reshape(4, 2, 384)
    layers = wide.values.reshape(4, 5, 2, 384)
    second = layers[:, 2, 0]
    low, high = means.min(1), means.max(1)
    assert ((second > low - 0.05) & (second < high + 0.05)).all()
    assert (layers[:, :, 1] >= 0).all(), "each layer's deviation follows its mean"


def test_batch_mates_change_nothing() -> None:
    clips = [clip(1.0), clip(3.0, 1), clip(0.5, 2)]
    encoder = WhisperEncoder()
    together = encoder.encode(clips)
    for sound, track in zip(clips, together, strict=True):
        (alone,) = encoder.encode([sound])
        assert alone is not None and track is not None
        np.testing.assert_array_equal(alone.values, track.values)


@pytest.mark.parametrize("seconds", [0.1, 0.2, 29.99, 30.01, 47.3])
def test_any_length_is_finite(seconds: float) -> None:
    (track,) = WhisperEncoder().encode([clip(seconds)])
    assert track is not None and np.isfinite(track.values).all()
    assert track.times[-1] < seconds and (np.diff(track.times) > 0).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Clip(None, None, 1.0),
        lambda: Clip(None, np.zeros(SAMPLE_RATE, np.float32), 1.0),
        lambda: Clip(None, np.ones(100, np.float32), 0.00625),
    ],
)
def test_no_sound_silence_and_a_click_are_absent(make: Callable[[], Clip]) -> None:
    assert WhisperEncoder().encode([make()]) == [None]


def test_options_out_of_range_are_one_line_and_fingerprints_differ() -> None:
    with pytest.raises(EmollamaError, match="layer must be 0 to 4, or all"):
        WhisperEncoder(layer=5)
    with pytest.raises(EmollamaError, match="segments must be 1"):
        WhisperEncoder(segments=0)
    prints = {WhisperEncoder(layer=i).fingerprint for i in (1, 2, "all")}
    assert len(prints) == 3 and WhisperEncoder().fingerprint in prints


def test_real_speech_is_told_apart_by_loudness(tmp_path: Path) -> None:
    root = Path(__file__).parents[3] / "shared" / "data" / "ravdess" / "audio"
    files = sorted(root.rglob("03-01-05-*.flac"))[:3] + sorted(root.rglob("03-01-02-*.flac"))[:3]
    if len(files) < 6:
        pytest.skip("RAVDESS is not beside the repository")
    from emollama.media.decode import decode_clip

    tracks = WhisperEncoder().encode([decode_clip(f, want_video=False) for f in files])
    means = np.stack([t.values.mean(0) for t in tracks if t is not None])
    means = (means - means.mean(0)) / (means.std(0) + 1e-6)
    within = np.linalg.norm(means[:3].mean(0) - means[0])
    between = np.linalg.norm(means[:3].mean(0) - means[3:].mean(0))
    assert len(means) == 6 and between > within, "angry and calm lie further apart than two angry"
