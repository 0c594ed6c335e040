"""A part of the picture: the same box in videos, turned videos and pictures, before scaling."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emollama.media.cutting import Box, cut_to
from emollama.media.decode import decode_clip
from tests.media.recording import record

UPPER_LEFT: Box = (0.0, 0.0, 0.5, 0.5)
"""The quarter that `record` makes white, as it is stored."""


@pytest.mark.parametrize(
    ("turn", "view"),
    [(0, UPPER_LEFT), (90, (0.0, 0.5, 0.5, 1.0)), (180, (0.5, 0.5, 1.0, 1.0)),
     (-90, (0.5, 0.0, 1.0, 0.5))],
)  # fmt: skip
def test_a_view_is_of_the_upright_picture(tmp_path: Path, turn: int, view: Box) -> None:
    path = record(tmp_path / "a.mp4", rotate=turn, seconds=0.5, sound_rate=None)
    clip = decode_clip(path, view=view)
    assert clip.frames is not None
    height, width = (32, 24) if turn in (90, -90) else (24, 32)
    assert clip.frames.images.shape == (8, height, width, 3)
    assert clip.frames.images[:, 2:-2, 2:-2].mean() > 230


@pytest.mark.parametrize("turn", [0, 90])
def test_pixels_count_after_cutting(tmp_path: Path, turn: int) -> None:
    """A face in a tenth of a large picture keeps its pixels; the whole would lose nine of ten."""
    path = record(tmp_path / "a.mp4", size=(640, 480), rotate=turn, seconds=0.2, sound_rate=None)
    view = (0.25, 0.25, 0.5, 0.75)
    for max_side, side in ((64, 64), (None, 240 if turn == 0 else 320)):
        clip = decode_clip(path, view=view, max_side=max_side, frames=1)
        assert clip.frames is not None
        assert max(clip.frames.images.shape[1:3]) == side


def test_pictures_are_cut_as_videos_are(tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for i in range(3):
        image = np.zeros((40, 60, 3), np.uint8)
        image[10:20, 30:60] = 50 * (i + 1)
        Image.fromarray(image).save(folder / f"{i}.png")
    clip = decode_clip(folder, view=(0.5, 0.25, 1.0, 0.5), frames=3, max_side=20)
    assert clip.frames is not None and clip.frames.images.shape[2] == 20
    assert [int(image[2:-2, 2:-2].mean()) for image in clip.frames.images] == [50, 100, 150]


def test_the_smallest_part_is_a_pixel() -> None:
    image = np.arange(12).reshape(3, 4)
    assert cut_to(image, (0.99, 0.99, 1.0, 1.0)).tolist() == [[11]]
    assert cut_to(image, (0.0, 0.0, 0.01, 0.01)).tolist() == [[0]]
