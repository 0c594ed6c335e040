"""Clips as phones, cameras and recorders make them: depths, codecs, channels, late starts."""

from __future__ import annotations

import wave
from pathlib import Path

import av
import numpy as np
import pytest

from emollama.media.clip import SAMPLE_RATE
from emollama.media.decode import decode_clip

REAL = Path(__file__).parents[3] / "shared/data/real_files/torchcodec"
"""Files of meta-pytorch/torchcodec, test/resources."""


def film(path: Path, codec: str, pix_fmt: str) -> Path:
    """Half a second of a picture that is dark on the left and light on the right."""
    with av.open(str(path), "w", format="mpeg" if path.suffix == ".mpg" else None) as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, pix_fmt
        stream.codec_context.thread_count = 1
        row = np.linspace(20, 230, 64).astype(np.uint8)
        grey = row[None, :, None].repeat(64, 0).repeat(3, 2)
        for i in range(12):
            frame = av.VideoFrame.from_ndarray(grey, "rgb24").reformat(format=pix_fmt)
            frame.pts = i
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [("av1.mp4", "libsvtav1", "yuv420p"), ("ten.mp4", "libx264", "yuv420p10le"),
     ("ten.mkv", "libsvtav1", "yuv420p10le"), ("film.mpg", "mpeg1video", "yuv420p")],
)  # fmt: skip
def test_depths_and_codecs(tmp_path: Path, name: str, codec: str, pix_fmt: str) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"PyAV was built without {codec}")
    film(tmp_path / name, codec, pix_fmt)
    clip = decode_clip(tmp_path / name, want_audio=False)
    assert clip.frames is not None and clip.frames.images.shape == (8, 64, 64, 3)
    columns = clip.frames.images[3, 32, :, 1].astype(int)
    np.testing.assert_allclose(columns, np.linspace(20, 230, 64), atol=12)
    assert clip.notes == ()


def test_sixteen_microphones_are_averaged(tmp_path: Path) -> None:
    """FFmpeg adds them up on two sides, which clips; their planes crash PyAV 18."""
    t = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    tone = (0.3 * 32767 * np.sin(2 * np.pi * 440 * t)).astype("<i2")
    for channels in (16, 5):
        with wave.open(str(tmp_path / "a.wav"), "wb") as out:
            out.setnchannels(channels)
            out.setsampwidth(2)
            out.setframerate(SAMPLE_RATE)
            out.writeframes(tone[:, None].repeat(channels, 1).tobytes())
        clip = decode_clip(tmp_path / "a.wav")
        assert clip.audio is not None and len(clip.audio) == 2 * SAMPLE_RATE
        if channels == 16:
            np.testing.assert_allclose(clip.audio, tone / 32768, atol=1e-3)


@pytest.mark.skipif(not REAL.is_dir(), reason="the real files are not on this machine")
@pytest.mark.parametrize(
    ("name", "size", "seconds"),
    [
        ("bt2020_10bit.mp4", (240, 320), 2.0),
        ("h264_10bits.mp4", (200, 200), 1.0),
        ("testsrc2_12bit_hdr.mp4", (180, 320), 2.0),
        ("nasa_13013_hdr.mp4", (180, 320), 13.0),
        ("nasa_13013_rotated.mp4", (480, 270), 0.6),  # stored as 480x270
        ("test_non_zero_start.mp4", (112, 199), 0.4),
        ("discard_first_keyframe.mp4", (64, 64), 1.0),
        ("sine_stereo_mp2.mpg", (128, 128), 4.0),
        ("sine_16ch_s16.wav", None, 1.0),
        ("reproduce_seek_bug.wav", None, 1.0),
    ],
)
def test_real_clips(name: str, size: tuple[int, int] | None, seconds: float) -> None:
    clip = decode_clip(REAL / name)
    assert clip.duration == pytest.approx(seconds, abs=0.06)
    assert (clip.frames is None) == (size is None)
    if clip.frames is not None:
        assert clip.frames.images.shape[1:3] == size and clip.frames.images.std() > 5
        assert (np.diff(clip.frames.times) >= 0).all() and clip.frames.times[0] >= 0
    assert (clip.audio is not None) == name.endswith((".wav", ".mpg"))
    if clip.audio is not None and "sine" in name:
        assert 0.05 < np.abs(clip.audio).max() < 0.5
