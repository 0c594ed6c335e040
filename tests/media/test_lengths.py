"""Lengths of tracks, told by packets: late tracks, cut files, files with one track."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emollama.media.clip import SAMPLE_RATE, MediaError
from emollama.media.decode import decode_clip
from emollama.media.lengths import track_lengths
from tests.features.made import write_wav
from tests.media.recording import record


def test_each_track_begins_and_ends_where_it_does(tmp_path: Path) -> None:
    both = track_lengths(record(tmp_path / "both.mp4", sound_from=1.0))
    assert both.stated == both.end == 3.0 and both.picture == (0.0, 3.0)
    assert both.sound == pytest.approx((1.0, 3.0), abs=0.1)
    late = track_lengths(record(tmp_path / "late.mp4", video_from=1.0))
    assert late.picture == (1.0, 4.0) and late.sound == pytest.approx((0.0, 3.0), abs=0.1)


def test_a_track_that_is_not_there_is_none(tmp_path: Path) -> None:
    mute = track_lengths(record(tmp_path / "mute.mp4", sound_rate=None))
    assert (mute.sound, mute.has_sound, mute.has_picture) == (None, False, True)
    voice = track_lengths(record(tmp_path / "voice.mp4", video=False))
    assert (voice.picture, voice.has_picture, voice.has_sound) == (None, False, True)


def test_a_file_that_was_cut_is_measured_up_to_the_cut(tmp_path: Path) -> None:
    content = record(tmp_path / "whole.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(content[: len(content) // 2])
    cut = track_lengths(tmp_path / "cut.mkv")
    assert cut.stated == pytest.approx(3.0, abs=0.1) and 1.0 < cut.end < 2.0


def test_a_wav_that_was_cut_still_says_how_long_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, np.zeros(4 * SAMPLE_RATE, np.float32))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    lengths = track_lengths(path)
    assert lengths.stated == pytest.approx(4, abs=0.01)
    assert lengths.sound is not None and lengths.sound[1] == pytest.approx(2, abs=0.01)
    assert any("its header says 4.0 s" in note for note in decode_clip(path).notes)
    # A stream does not know its length: it promises all that the field can hold.
    path.write_bytes(whole[:4] + b"\xff" * 4 + whole[8:])
    assert track_lengths(path).stated == pytest.approx(4, abs=0.01)


def test_what_is_no_media_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no film")
    for name, reason in (("text.mp4", "unreadable"), ("gone.mp4", "missing")):
        with pytest.raises(MediaError) as error:
            track_lengths(tmp_path / name)
        assert error.value.reason == reason
