"""A part of a clip, and one face of several."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emollama.demo.callbacks import Callbacks
from emollama.demo.desk import Desk
from emollama.demo.player import player, web_vtt
from emollama.demo.source import Source, face_views
from emollama.session import Session
from tests.demo.conftest import SETTINGS
from tests.demo.made import InProcess, look, observation
from tests.demo.test_callbacks import error_of, last
from tests.media.recording import record


@pytest.fixture
def page(session: Session, tmp_path: Path) -> Callbacks:
    return Callbacks(session, InProcess(session, SETTINGS), tmp_path)


def test_of_a_clip_that_is_too_long_a_part_is_read(page: Callbacks, tmp_path: Path) -> None:
    path, desk = record(tmp_path / "long.mp4", seconds=25, fps=2, voice=True), Desk()
    assert "choose a clip first" in error_of(page.part(desk, 1, 2))
    assert "at most 20 s" in error_of(page.open(desk, str(path)))
    assert "it lasts 23 s" in error_of(page.part(desk, 2, None))
    assert "5 to 3 s is none" in error_of(page.part(desk, 5, 3))
    found = last(page.part(desk, 12, 14))
    assert desk.visit is not None and abs(desk.visit.look.duration - 2) < 0.1
    assert "long.mp4 (12 s to 14 s)" in found["player"] and "#t=12,14" in found["player"]


def test_a_clip_is_shown_while_it_is_read_and_gone_if_it_cannot_be(
    page: Callbacks, clip: Path, tmp_path: Path
) -> None:
    first = next(page.open(Desk(), str(clip)))
    assert "data-stale" in first["state"] and clip.name in first["reading"]
    assert last(page.open(Desk(), str(clip)))["reading"] == ""
    junk = tmp_path / "junk.mp4"
    junk.write_bytes(b"no clip" * 99)
    assert last(page.open(Desk(), str(junk)))["reading"] == ""


def test_a_picture_without_the_channels_of_the_model_is_told_so(
    page: Callbacks, tmp_path: Path
) -> None:
    from PIL import Image

    path = tmp_path / "photo.png"
    Image.fromarray(np.full((40, 40, 3), 90, np.uint8)).save(path)
    told = error_of(page.open(Desk(), str(path)))
    assert "photo.png: has nothing that this model goes by" in told and str(tmp_path) not in told
    assert "<img" in player(Source(path, path.name))


def test_subtitles_of_a_part_come_at_the_times_of_the_file() -> None:
    assert "00:00:12.200 --> 00:00:12.900\nWell." in web_vtt(look("Well.", given=False), 12.0)


def test_each_face_of_the_peak_frame_has_a_view_of_its_own() -> None:
    peak = observation().peak
    assert peak is not None and face_views(peak) == ((), 0)
    # The one that was read stands to the right of the other: 80 x 60 pixels in all.
    peak = replace(peak, box=(50.0, 10.0, 70.0, 40.0), others=((10.0, 15.0, 30.0, 45.0),))
    (left, right), read = face_views(peak)
    assert read == 1 and left[2] <= 50 / 80 and right[0] >= 30 / 80
    assert left[0] < 10 / 80 < 30 / 80 < left[2] and right[1] < 10 / 60 < 40 / 60 < right[3]
