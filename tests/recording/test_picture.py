"""A real film of drawn faces, read block by block: faces, expressions, lips, cuts, what is kept."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from emollama.media.clip import Frames
from emollama.media.decode import decode_clip
from emollama.probe.faces import FacePainter
from emollama.probe.identity import make_identity
from emollama.probe.render import FPS, write_film
from emollama.recording.people_seen import group_tracks
from emollama.recording.picture import PictureBlock, PictureTools, read_picture, with_looks
from emollama.recording.shots import cuts
from emollama.recording.tracks import face_tracks, shot_changes

SECONDS = 3.2
CUT = 1.6  # the two change places


@cache
def tools() -> PictureTools:
    return PictureTools.from_assets()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two drawn people side by side: one speaks, the other sways in a flickering light and is mute.

    At `CUT` they change places and the camera moves.
    """
    here, there = FacePainter(make_identity(3)), FacePainter(make_identity(8))
    frames = []
    for i in range(round(SECONDS * FPS)):
        time = i / FPS
        speech = 0.5 + 0.5 * np.sin(2 * np.pi * 3.3 * time)
        one = here.draw({}, speech=float(speech))
        sway = (5 * np.sin(2 * np.pi * 0.8 * time), 0.0, 4 * np.sin(2 * np.pi * 0.8 * time), 1.0)
        two = there.draw({}, pose=sway) * (0.9 + 0.1 * np.sin(2 * np.pi * 1.5 * time))
        pair = [one, two.astype(np.uint8)] if time < CUT else [two.astype(np.uint8), one]
        frame = np.concatenate(pair, axis=1)
        frames.append(frame if time < CUT else np.roll(frame, 20, axis=0))
    path = tmp_path_factory.mktemp("film") / "two.mp4"
    write_film(path, np.stack(frames), np.zeros(16_000, np.float32), 16_000)
    return path


def frames_of(film: Path, start: float, end: float) -> Frames:
    clip = decode_clip(
        film, start=start, end=end, frames=round(12.5 * (end - start)), want_audio=False
    )
    assert clip.frames is not None
    return clip.frames


@pytest.fixture(scope="module")
def blocks(film: Path) -> list[PictureBlock]:
    """Two blocks whose border is the cut."""
    spans = ((0.0, CUT), (CUT, SECONDS))
    return [read_picture(frames_of(film, *span), span[0], tools()) for span in spans]


def test_both_faces_are_found_at_5_a_second_and_read(blocks: list[PictureBlock]) -> None:
    for block in blocks:
        assert block.searched.sum() == 8 and len(block.times) == 20
        assert np.bincount(block.frames, minlength=20)[block.searched].tolist() == [2] * 8
        assert block.boxes.min() > 0 and block.boxes.max() < 1
        np.testing.assert_allclose(block.expressions.sum(1), 1, rtol=1e-5)
    assert blocks[1].times[0] == pytest.approx(CUT, abs=0.05)


def test_a_cut_on_the_border_of_two_blocks_ends_the_tracks(blocks: list[PictureBlock]) -> None:
    assert shot_changes(blocks).tolist() == pytest.approx([CUT], abs=0.06)
    tracks = face_tracks(blocks)
    assert [round(t.start < CUT - 0.1) for t in tracks] == [1, 1, 0, 0]
    assert max(t.end for t in tracks[:2]) < CUT + 0.1


def test_those_who_change_places_stay_themselves(blocks: list[PictureBlock]) -> None:
    tracks = face_tracks(blocks)  # left and right before the cut, left and right behind it
    assert sorted(group_tracks(tracks, shot_changes(blocks).tolist())) == [[0, 3], [1, 2]]
    assert sorted(group_tracks(tracks)) == [[0, 3], [1, 2]]


def test_lips_move_in_speech_and_not_with_head_and_light(blocks: list[PictureBlock]) -> None:
    speaks, silent = face_tracks(blocks)[:2]
    assert len(speaks.lips) > 15 and np.isfinite(speaks.lips).all()
    assert np.median(speaks.lips) > 3 * np.median(np.abs(silent.lips))


def test_what_is_stored_has_no_looks_and_gets_the_same_ones_again(
    blocks: list[PictureBlock], film: Path, tmp_path: Path
) -> None:
    np.savez(tmp_path / "block.npz", **blocks[0].to_arrays())
    with np.load(tmp_path / "block.npz", allow_pickle=False) as arrays:
        assert "looks" not in arrays
        stored = PictureBlock.from_arrays(arrays)
    with pytest.raises(ValueError, match="no appearance vectors"):
        face_tracks([stored])
    again = with_looks(stored, frames_of(film, 0.0, CUT))
    assert again.looks is not None and blocks[0].looks is not None
    assert again.looks.tobytes() == blocks[0].looks.tobytes()


def test_a_picture_without_people_and_a_frame_that_stands_still() -> None:
    grey = np.full((6, 90, 160, 3), 128, np.uint8)
    frames = Frames(grey, np.array([0.0, 0.08, 0.08, 0.08, 0.16, 0.24]))
    block = read_picture(frames, 60.0, tools())
    assert block.times.tolist() == pytest.approx([60, 60.08, 60.16, 60.24])
    assert block.boxes.shape == (0, 4) and block.looks is not None and not len(block.looks)
    assert face_tracks([block, replace(block, times=block.times + 1)]) == []


def test_a_moving_camera_cuts_nothing() -> None:
    times = np.arange(50) / 12.5
    moving = np.full(50, 20.0)
    moving[0] = np.nan
    assert not len(cuts(times, moving))
    moving[30] = 70
    assert cuts(times, moving).tolist() == pytest.approx([29.5 / 12.5])
