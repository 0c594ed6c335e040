"""Pictures are clips of one frame, folders of numbered ones are videos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emollama.manifest.labels import LABEL_SETS
from emollama.manifest.sample import Manifest, Sample, read_manifest, write_manifest
from emollama.manifest.signature import signature
from emollama.media.decode import MediaError, decode_clip, need_media
from emollama.media.lengths import frame_times, track_lengths
from emollama.media.pictures import frame_files
from tests.media.recording import record

REAL = Path(__file__).parents[3] / "shared/data/real_files/torchcodec"
"""Files of meta-pytorch/torchcodec, test/resources."""

TURNED = 6
"""EXIF orientation of an upright phone: the stored picture lies on its left side."""


def halves(width: int = 40, height: int = 20) -> Image.Image:
    """Red on the left, blue on the right."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2, 0] = pixels[:, width // 2 :, 2] = 255
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    ("name", "mode", "near"),
    [("a.jpg", "RGB", 12), ("a.jpg", "CMYK", 12), ("a.png", "RGB", 0), ("a.webp", "RGB", 12),
     ("a.bmp", "RGB", 0), ("a.tif", "RGB", 0), ("a.avif", "RGB", 30), ("a.mp4", "RGB", 0),
     ("a.gif", "P", 4)],
)  # fmt: skip
def test_a_picture_is_a_clip_of_one_frame(tmp_path: Path, name: str, mode: str, near: int) -> None:
    path = tmp_path / name
    # The first bytes tell what it is: a.mp4 is a PNG here.
    halves().convert(mode).save(path, "PNG" if name == "a.mp4" else None)
    clip = decode_clip(path, frames=3)
    assert clip.frames is not None and clip.frames.images.shape == (3, 20, 40, 3)
    assert clip.audio is None and "no audio track" in clip.notes and not clip.frames.times.any()
    red, blue = clip.frames.images[0, 10, 5].astype(int), clip.frames.images[0, 10, 34].astype(int)
    if mode != "CMYK":
        assert np.abs(red - (255, 0, 0)).max() <= near and np.abs(blue - (0, 0, 255)).max() <= near
    assert red.argmax() == 0 and blue.argmax() == 2
    need_media(path)
    assert track_lengths(path).pictures == 1


def test_a_picture_is_turned_upright_and_scaled(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = TURNED
    halves(1000, 400).save(tmp_path / "a.jpg", exif=exif)
    clip = decode_clip(tmp_path / "a.jpg", opening=True)
    assert clip.frames is not None and clip.frames.images.shape == (1, 480, 192, 3)
    assert clip.frames.images[0, 10, 90].argmax() == 0  # red was left and is above now
    whole = decode_clip(tmp_path / "a.jpg", opening=True, max_side=None)
    assert whole.frames is not None and whole.frames.images.shape == (1, 1000, 400, 3)


def test_sixteen_bits_keep_their_greys(tmp_path: Path) -> None:
    grey = np.linspace(0, 65535, 64).astype(np.uint16)[None].repeat(8, 0)
    Image.fromarray(grey).save(tmp_path / "a.png")
    clip = decode_clip(tmp_path / "a.png")
    assert clip.frames is not None
    found = clip.frames.images[0, 0, :, 0].astype(int)
    np.testing.assert_allclose(found, grey[0] / 257, atol=1)


def test_a_folder_of_numbered_pictures_is_a_video(tmp_path: Path) -> None:
    """DFEW's `16372_00001.jpg` to `16372_00039.jpg` (jiangxingxun/DFEW, README), and `1.jpg`."""
    for numbered, folder in (("16372_{:05}.jpg", "16372"), ("{}.jpg", "1")):
        (tmp_path / folder).mkdir()
        for i in range(1, 40):
            side = 30 + i % 2  # crops of faces differ in size
            grey = np.full((side, 30, 3), 5 * i, np.uint8)
            Image.fromarray(grey).save(tmp_path / folder / numbered.format(i), quality=95)
        (tmp_path / folder / "Thumbs.db").write_bytes(b"x")
        (tmp_path / folder / "._1.jpg").write_bytes(b"x")
        files = frame_files(tmp_path / folder)
        assert [f.name for f in files] == [numbered.format(i) for i in range(1, 40)]
        clip = decode_clip(tmp_path / folder, frames=4)
        assert clip.frames is not None and clip.duration == pytest.approx(39 / 25)
        greys = clip.frames.images.astype(int).mean((1, 2, 3))
        np.testing.assert_allclose(greys, 5 * (clip.frames.times * 25 + 1), atol=2)
        np.testing.assert_allclose(clip.frames.times, [0.2, 0.6, 0.96, 1.36], atol=0.041)
    span = decode_clip(tmp_path / "1", start=1.0, end=2.0, frames=2, fps=10)
    assert span.frames is not None and span.duration == pytest.approx(1.0)
    greys = span.frames.images.astype(int).mean((1, 2, 3))
    np.testing.assert_allclose(greys, 5 * (10 * (span.frames.times + 1) + 1), atol=2)
    assert len(frame_times(tmp_path / "1", fps=10)) == 39
    assert track_lengths(tmp_path / "1", fps=13).end == pytest.approx(3)


def test_frames_have_a_voice_beside_them_and_a_rate_in_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    for i in range(20):
        halves().save(tmp_path / f"1/{i}.png")
    voice = record(tmp_path / "a.wav", video=False, seconds=2.0, sound_codec="pcm_s16le")
    clip = decode_clip(tmp_path / "1", voice, fps=10)
    assert clip.frames is not None and clip.audio is not None
    assert clip.duration == pytest.approx(2) and "no audio track" not in clip.notes
    samples = [Sample(id="a", video="1", fps=10), Sample(id="b", video="1")]
    write_manifest(tmp_path / "m.jsonl", "mine", LABEL_SETS["mer2023"], samples)
    read: Manifest = read_manifest(tmp_path / "m.jsonl")
    assert [sample.fps for sample in read.samples] == [10, None]
    assert len({signature(read, sample) for sample in read.samples}) == 2


def told(path: Path) -> str:
    with pytest.raises(MediaError) as caught:
        decode_clip(path)
    message = str(caught.value)
    assert "\n" not in message and message.startswith(str(path.parent))
    return message


def test_damaged_and_unreadable_pictures_are_one_line(tmp_path: Path) -> None:
    halves(400, 300).save(tmp_path / "a.jpg")
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2])
    assert "cannot be decoded as a picture" in told(tmp_path / "a.jpg")
    halves(400, 300).save(tmp_path / "a.png")
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[:60])
    assert "cannot be decoded as a picture" in told(tmp_path / "a.png")
    (tmp_path / "b.jpg").write_bytes(b"\xff\xd8\xffxxxx")
    assert "cannot be decoded as a picture" in told(tmp_path / "b.jpg")
    (tmp_path / "c.jpg").write_bytes(b"x")
    assert "is not a readable media file" in told(tmp_path / "c.jpg")
    (tmp_path / "empty").mkdir()
    assert "is a folder without pictures" in told(tmp_path / "empty")
    halves(9000, 1).save(tmp_path / "wide.png")
    assert "its picture is 9000×1; at most 8192" in told(tmp_path / "wide.png")


def test_a_picture_of_too_many_pixels_is_told_in_our_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10**6)
    Image.new("1", (2000, 1500)).save(tmp_path / "wall.png")
    with pytest.raises(MediaError, match="its picture has more than 2 million pixels, the most"):
        decode_clip(tmp_path / "wall.png")


def test_heic_is_read_or_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A HEIC begins with `ftypheic`; FFmpeg would open it as a film of one second."""
    path = tmp_path / "a.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    monkeypatch.setattr("emollama.media.pictures._reads_heif", lambda: False)
    assert "needs the package pillow-heif (pip install 'emollama[heic]')" in told(path)


@pytest.mark.skipif(not REAL.is_dir(), reason="the real files are not on this machine")
@pytest.mark.parametrize(
    ("name", "size", "grey"),
    [("cmyk.jpg", (270, 480), 127), ("gradient.webp", (270, 480), 127),
     ("grayscale_16bit.png", (48, 64), 128), ("animated.gif", (48, 64), None),
     ("bad_huffman.jpg", (360, 480), None)],
)  # fmt: skip
def test_real_pictures(name: str, size: tuple[int, int], grey: int | None) -> None:
    clip = decode_clip(REAL / name)
    assert clip.frames is not None and clip.frames.images.shape[1:3] == size
    assert grey is None or clip.frames.images.mean() == pytest.approx(grey, abs=2)


@pytest.mark.skipif(not REAL.is_dir(), reason="the real files are not on this machine")
def test_a_real_heic() -> None:
    pytest.importorskip("pillow_heif")
    clip = decode_clip(REAL / "gradient.heic", max_side=None)
    assert clip.frames is not None and clip.frames.images.shape[1:3] == (720, 1280)
