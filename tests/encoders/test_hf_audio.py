"""Speech encoders: equal to transformers by hand, whatever the layer, the length or the mates."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from emollama.base.errors import EmollamaError
from emollama.encoders.hf_audio import PaddedWhisperEncoder, WaveformEncoder
from emollama.encoders.table import parse_encoder
from emollama.media.clip import SAMPLE_RATE, Clip
from tests.encoders.published import BLOCKS, put, sound, states_of

WAVEFORM = ["chinese-hubert-large", "wav2vec2-base", "wavlm-base", "wavlm-large"]
WHISPER = {"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 80,
           "chunk_length": 2, "hop_length": 160, "n_fft": 400, "sampling_rate": 16000}  # fmt: skip


def values(spec: str, clip: Clip) -> np.ndarray:
    (track,) = parse_encoder(spec).encode([clip])
    assert track is not None
    assert track.values.dtype == track.times.dtype == np.float32
    assert track.values.shape == (len(track.times), 32)
    return track.values


def normalised(clip: Clip) -> torch.Tensor:
    assert clip.audio is not None
    x = torch.from_numpy(clip.audio).double()
    return ((x - x.mean()) / (x.var(correction=0) + 1e-7).sqrt()).float()[None]


@pytest.mark.parametrize("name", WAVEFORM)
def test_layers_are_those_of_transformers(home: Path, tmp_path: Path, name: str) -> None:
    model, clip = put(name, tmp_path), sound(1.3)
    given = normalised(clip) if name != "wavlm-base" else torch.from_numpy(clip.audio)[None]
    with torch.inference_mode():
        states = states_of(model(given, output_hidden_states=True))
    found = [values(f"{name}+layer={i}+level=fra", clip) for i in range(BLOCKS + 1)]
    for ours, theirs in zip(found, states, strict=True):
        np.testing.assert_allclose(ours, theirs[0].numpy(), atol=2e-5)
    assert all(np.abs(a - b).max() > 0.05 for a, b in pairwise(found))
    np.testing.assert_array_equal(values(f"{name}+level=fra", clip), found[-1])
    np.testing.assert_allclose(
        values(f"{name}+layer=last4+level=fra", clip), sum(found[-4:]), atol=2e-5
    )
    np.testing.assert_allclose(values(name, clip), found[-1].mean(0, keepdims=True), atol=1e-6)
    thirds = values(f"{name}+segments=3", clip)
    assert len(found[-1]) == 64  # 1.3 s less the reach of the first step, in steps of 20 ms
    np.testing.assert_allclose(thirds[0], found[-1][:21].mean(0), atol=1e-6)
    np.testing.assert_allclose(thirds[2], found[-1][43:].mean(0), atol=1e-6)


def test_a_track_depends_on_no_other_clip_and_computing_stops_at_the_layer(
    home: Path, tmp_path: Path
) -> None:
    put("hubert-large", tmp_path)
    encoder = parse_encoder("hubert-large+layer=2+level=fra")
    assert isinstance(encoder, WaveformEncoder)
    clips = [sound(1.0), sound(0.4, 1), sound(2.0, 2)]
    together = encoder.encode(clips)
    for clip, track in zip(clips, together, strict=True):
        (alone,) = encoder.encode([clip])
        assert alone is not None and track is not None
        np.testing.assert_array_equal(alone.values, track.values)
    assert len(encoder._net.blocks) == 2


def test_long_sound_is_encoded_in_equal_parts_and_joined(home: Path, tmp_path: Path) -> None:
    model, clip = put("hubert-base", tmp_path), sound(25.0)
    encoder = parse_encoder("hubert-base+level=fra")
    (track,) = encoder.encode([clip])
    assert track is not None and track.values.shape == (3 * 416, 32)
    given = normalised(clip)  # over all of the sound, not part by part
    with torch.inference_mode():
        parts = [
            model(given[:, first:end]).last_hidden_state[0]
            for first, end in ((0, 133333), (133333, 266667), (266667, 400000))
        ]
    np.testing.assert_allclose(track.values, torch.cat(parts).numpy(), atol=2e-5)
    steps = np.diff(track.times)
    assert (steps > 0.019).all() and (steps < 0.05).all()
    assert 0.01 < track.times[0] < 0.02 and 24.95 < track.times[-1] < 25
    (whole,) = parse_encoder("hubert-base+level=fra+chunk=60").encode([clip])
    assert whole is not None and len(whole.values) == 1249


def test_the_folders_own_preprocessor_rules_and_else_the_published_one(
    home: Path, tmp_path: Path
) -> None:
    published = {}
    for name in ("wavlm-base", "wavlm-large", "hubert-base", "chinese-hubert-large"):
        put(name, tmp_path)
        extractor: Any = parse_encoder(name).extractor  # type: ignore[attr-defined]
        published[name] = (extractor.do_normalize, extractor.return_attention_mask)
        assert extractor.sampling_rate == SAMPLE_RATE
    assert published == {
        "wavlm-base": (False, False),
        "wavlm-large": (True, True),
        "hubert-base": (True, False),
        "chinese-hubert-large": (True, True),
    }
    own = {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "do_normalize": False,
           "return_attention_mask": False, "sampling_rate": 16000, "feature_size": 1}  # fmt: skip
    before = values("wavlm-large", sound(1.0))
    put("wav2vec2-large", tmp_path, own)
    extractor = parse_encoder("wav2vec2-large").extractor  # type: ignore[attr-defined]
    assert (extractor.do_normalize, extractor.return_attention_mask) == (False, False)
    # A mask of ones, which a single clip has, changes nothing.
    encoder = parse_encoder("wavlm-large")
    encoder.extractor.return_attention_mask = False  # type: ignore[attr-defined]
    (track,) = encoder.encode([sound(1.0)])
    assert track is not None
    np.testing.assert_allclose(track.values, before, atol=1e-5)
    put("wav2vec2-base", tmp_path, {**own, "sampling_rate": 8000})
    with pytest.raises(EmollamaError, match=r"sampling_rate is 8000; only 16000 is supported"):
        parse_encoder("wav2vec2-base").encode([sound(1.0)])


def test_whisper_is_padded_as_it_was_trained_and_cut_to_the_clip(
    home: Path, tmp_path: Path
) -> None:
    model, clip = put("whisper-small", tmp_path, WHISPER), sound(0.71)
    encoder = parse_encoder("whisper-small+layer=3+level=fra")
    assert isinstance(encoder, PaddedWhisperEncoder)
    (track,) = encoder.encode([clip])
    mel = encoder.extractor(clip.audio, sampling_rate=SAMPLE_RATE, return_tensors="pt")
    assert mel.input_features.shape == (1, 80, 200)
    with torch.inference_mode():
        states = states_of(model.encoder(**mel, output_hidden_states=True))
    assert track is not None and len(track.values) == 35  # steps whose centre is in .71 s
    np.testing.assert_allclose(track.values, states[3][0, :35].numpy(), atol=2e-5)
    np.testing.assert_allclose(track.times, (np.arange(35) + 0.5) / 50, atol=1e-6)
    last = values("whisper-small+level=fra", clip)
    np.testing.assert_allclose(last, states[-1][0, :35].numpy(), atol=2e-5)
    # 5 s are more than the 2 s that this one reads at once: three parts.
    (long,) = parse_encoder("whisper-small+level=fra").encode([sound(5.0)])
    assert long is not None and 249 <= len(long.values) <= 251 and 4.97 < long.times[-1] < 5


def test_no_voice_has_no_track(home: Path, tmp_path: Path) -> None:
    put("wav2vec2-base", tmp_path)
    put("whisper-tiny", tmp_path, WHISPER)
    silence = Clip(None, np.zeros(16000, np.float32), 1.0)
    for name in ("wav2vec2-base", "whisper-tiny"):
        tracks = parse_encoder(name).encode([silence, Clip(None, None, 1.0), sound(0.05)])
        assert tracks == [None, None, None]
