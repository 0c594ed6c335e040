"""Mel spectra against transformers' own Kaldi front end; which frames are taken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

from emollama.base.errors import EmollamaError
from emollama.fusion.data.raw_media import (
    clip_fbank,
    clip_pieces,
    clip_thumbnails,
    fbank,
    pictures,
    sampled,
    thumbnails,
    waveforms,
)

from ..media.recording import record


def test_fbank_is_kaldis() -> None:
    rng = np.random.default_rng(0)
    sound = (np.sin(np.arange(5000) * 0.3) * 0.4 + rng.normal(0.1, 0.05, 5000)).astype(np.float32)
    wanted = spectrogram(
        (sound - sound.mean()).astype(np.float64),
        window_function(400, "hann", periodic=False),
        frame_length=400,
        hop_length=160,
        fft_length=512,
        power=2.0,
        center=False,
        preemphasis=0.97,
        mel_filters=mel_filter_bank(
            num_frequency_bins=257,
            num_mel_filters=128,
            min_frequency=20,
            max_frequency=8000,
            sampling_rate=16000,
            norm=None,
            mel_scale="kaldi",
            triangularize_in_mel_space=True,
        ),
        log_mel="log",
        mel_floor=1.192092955078125e-07,
        remove_dc_offset=True,
    ).T
    found = fbank(sound)
    assert found.shape == (1024, 128) and found.dtype == torch.float32
    assert len(wanted) == 29 and not found[29:].any()
    np.testing.assert_allclose(found[:29].numpy(), wanted, atol=1e-3)
    assert torch.equal(fbank(sound, frames=10), found[:10])


def test_too_short_a_sound_is_told() -> None:
    with pytest.raises(EmollamaError, match="a sound of 12 ms is too short"):
        fbank(np.zeros(200, np.float32))
    assert torch.isfinite(fbank(np.zeros(400, np.float32))).all()


@pytest.mark.parametrize(
    ("available", "indices"),
    [(10, [0, 3, 6]), (11, [0, 3, 6]), (3, [0, 1, 2]), (2, [0, 0, 1]), (1, [0, 0, 0])],
)
def test_frames_are_taken_at_even_steps_from_the_first(available: int, indices: list[int]) -> None:
    assert sampled(available, 3) == indices


def test_pictures_are_normalised_as_for_imagenet() -> None:
    made = pictures(torch.from_numpy(thumbnails(np.full((2, 48, 64, 3), 255, np.uint8))))
    assert made.shape == (2, 3, 224, 224)
    torch.testing.assert_close(
        made[0, :, 5, 9], torch.tensor([2.2489, 2.4286, 2.64]), atol=1e-4, rtol=0
    )


def test_pictures_of_a_clip_in_order_of_time(tmp_path: Path) -> None:
    clip = record(tmp_path / "a.mp4", seconds=6.0, fps=5, sound_rate=None)
    made = clip_thumbnails(clip)
    assert made is not None and made.values.dtype == np.uint8
    assert made.values.shape == (3, 3, 224, 224)
    assert made.times.tolist() == pytest.approx([0.4, 2.4, 4.4], abs=0.25)
    grey = made.values[:, 0, 200, 200]  # brightens with time
    assert grey[0] < grey[1] < grey[2]
    assert clip_thumbnails(record(tmp_path / "b.m4a", video=False)) is None


@pytest.mark.parametrize(("start", "seconds"), [(None, 4.0), (1.0, 5.0)])
def test_pictures_are_spread_over_what_is_shown(
    tmp_path: Path, start: float | None, seconds: float
) -> None:
    """Neither a span stated beyond the file nor a longer sound changes which are taken."""
    clip = record(tmp_path / "a.mp4", seconds=seconds, fps=10, sound_rate=None)
    longer = record(tmp_path / "b.mp4", seconds=seconds, fps=10, sound_to=9.0)
    for path, end in ((clip, None), (clip, 99.0), (longer, None), (longer, 8.0)):
        made = clip_thumbnails(path, start, end)
        assert made is not None
        assert made.times.tolist() == pytest.approx([0.5, 1.5, 2.5], abs=0.051), (path, end)
    late = clip_thumbnails(record(tmp_path / "c.mp4", seconds=4.0, fps=10, video_from=2.0))
    assert late is not None and late.times.tolist() == pytest.approx([2.5, 3.5, 4.5], abs=0.051)


def test_large_pictures_are_not_enlarged_from_small_ones(tmp_path: Path) -> None:
    """The white corner ends within a pixel: no blur of a frame that was made smaller first."""
    clip = record(tmp_path / "a.mp4", seconds=1.0, fps=5, size=(640, 640), sound_rate=None)
    made = clip_thumbnails(clip, count=1, side=640)
    assert made is not None and made.values.shape == (1, 3, 640, 640)
    edge = made.values[0, 0, 100, 300:340].astype(int)
    assert np.abs(np.diff(edge)).max() > 200


def test_all_of_a_sound_is_kept() -> None:
    levels = np.arange(-500, 500, dtype=np.int16)
    sound = levels.astype(np.float32) / 32768
    kept = clip_pieces(sound)
    assert kept is not None and kept.values.shape == (4, 320)
    again = waveforms(torch.from_numpy(kept.values)).flatten()
    assert torch.equal(again[:1000], torch.from_numpy(sound)) and not again[1000:].any()
    np.testing.assert_allclose(kept.times, [0.01, 0.03, 0.05, 0.07])
    windows = clip_fbank(sound)
    assert windows is not None and windows.values.shape == (4, 128)
    np.testing.assert_allclose(windows.times, [0.0125, 0.0225, 0.0325, 0.0425])
    assert clip_fbank(sound[:399]) is None and clip_pieces(sound[:0]) is None
