"""Decoding of the files that phones, screen recorders and broken downloads make."""

from __future__ import annotations

import gc
import pickle
import struct
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from emollama.media.decode import SAMPLE_RATE, Clip, MediaError, decode_clip
from emollama.media.video import _matrix, upright
from tests.media.recording import record


def shown_seconds(clip: Clip) -> np.ndarray:
    """The time that each frame's grey level tells."""
    assert clip.frames is not None
    images = clip.frames.images.astype(float)
    height, width = images.shape[1:3]
    return (images[:, -height // 4 :, -width // 4 :].mean((1, 2, 3)) - 20) / 20


def tone(clip: Clip) -> tuple[float, float]:
    """First and last second at which the sound is loud."""
    assert clip.audio is not None
    loud = np.flatnonzero(np.abs(clip.audio) > 0.1)
    return loud[0] / SAMPLE_RATE, loud[-1] / SAMPLE_RATE


def test_frames_are_nearest_to_the_centres_and_sound_is_mono_16k(tmp_path: Path) -> None:
    clip = decode_clip(record(tmp_path / "a.mp4"), frames=8)
    centres = 3 * (np.arange(8) + 0.5) / 8
    assert clip.frames is not None and clip.audio is not None
    assert clip.frames.images.shape == (8, 48, 64, 3) and clip.frames.images.dtype == np.uint8
    np.testing.assert_allclose(clip.frames.times, centres, atol=0.021)
    np.testing.assert_allclose(shown_seconds(clip), clip.frames.times, atol=0.15)
    assert clip.audio.dtype == np.float32 and abs(len(clip.audio) / SAMPLE_RATE - 3) < 0.1
    assert clip.duration == pytest.approx(3, abs=0.1) and clip.notes == ()


def test_the_opening_frame_is_the_first_of_the_span(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mp4", seconds=2.0)
    for start, time in ((None, 0.0), (0.99, 0.01)):
        clip = decode_clip(path, start=start, opening=True, want_audio=False)
        assert clip.frames is not None and clip.frames.images.shape == (1, 48, 64, 3)
        np.testing.assert_allclose(clip.frames.times, [time], atol=1e-3)


def test_decoded_frames_are_freed_at_once(tmp_path: Path) -> None:
    """An hour's frames would else fill the memory until Python happens to look for cycles."""
    path = record(tmp_path / "a.mp4")
    gc.collect()
    gc.disable()
    try:
        decode_clip(path, frames=20)
        left = sum(isinstance(one, VideoFrame) for one in gc.get_objects())
    finally:
        gc.enable()
    assert left <= 1


def test_stereo_44100_at_60_fps_keeps_pitch_and_level(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mp4", fps=60, sound_rate=44100, stereo=True)
    clip = decode_clip(path)
    assert clip.audio is not None
    np.testing.assert_allclose(shown_seconds(clip), 3 * (np.arange(8) + 0.5) / 8, atol=0.15)
    spectrum = np.abs(np.fft.rfft(clip.audio[16000:32000]))
    assert spectrum.argmax() == 400
    assert np.abs(clip.audio[16000:32000]).max() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("turn", "corner"), [(0, (0, 0)), (90, (1, 0)), (180, (1, 1)), (-90, (0, 1))]
)
def test_rotation_is_applied(tmp_path: Path, turn: int, corner: tuple[int, int]) -> None:
    """`turn` counts counter-clockwise, so 90 shows the upper left corner at the lower left."""
    clip = decode_clip(record(tmp_path / "a.mp4", rotate=turn, seconds=0.5))
    assert clip.frames is not None
    image = clip.frames.images[0]
    assert image.shape == ((64, 48, 3) if turn in (90, -90) else (48, 64, 3))
    height, width = image.shape[:2]
    quarters = image.reshape(2, height // 2, 2, width // 2, 3).mean((1, 3, 4))
    assert np.unravel_index(quarters.argmax(), (2, 2)) == corner


@pytest.mark.parametrize("turn", [0, 90, 180, -90])
def test_unknown_side_data_costs_neither_the_frame_nor_its_rotation(
    tmp_path: Path, turn: int
) -> None:
    """PyAV 18 raises `ValueError: 31 is not a valid Type` at what newer FFmpegs put beside frames
    (FFmpeg 8: a HEIC of a phone)."""
    with av.open(str(record(tmp_path / "a.mp4", rotate=turn, seconds=0.2))) as file:
        frame = next(file.decode(video=0))

    class Newer:
        rotation = frame.rotation

        @property
        def side_data(self) -> None:
            raise ValueError("31 is not a valid Type")

    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    np.testing.assert_array_equal(
        upright(image, _matrix(Newer())),
        upright(image, _matrix(frame)),  # type: ignore[arg-type]
    )


def test_a_mirrored_display_matrix_is_applied() -> None:
    image = np.arange(6, dtype=np.uint8).reshape(2, 3, 1).repeat(3, 2)
    mirrored = upright(image, np.array([[-65536, 0], [0, 65536]]))
    np.testing.assert_array_equal(mirrored, image[:, ::-1])


def test_tracks_that_begin_late_stay_in_step(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mkv", video_from=1.0, sound_from=1.5, seconds=3.0)
    clip = decode_clip(path, frames=4)
    # The file's own beginning is where its first track begins: 1.0 s on its clock.
    assert clip.frames is not None
    np.testing.assert_allclose(shown_seconds(clip), clip.frames.times, atol=0.15)
    assert tone(clip)[0] == pytest.approx(0.5, abs=0.07)


def test_a_span_is_cut_out_by_time(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mp4", sound_from=1.5)
    clip = decode_clip(path, start=1.0, end=2.0, frames=4)
    assert clip.frames is not None and clip.audio is not None
    assert clip.duration == pytest.approx(1.0)
    np.testing.assert_allclose(clip.frames.times, [0.125, 0.375, 0.625, 0.875], atol=0.021)
    np.testing.assert_allclose(shown_seconds(clip), clip.frames.times + 1, atol=0.15)
    assert len(clip.audio) == SAMPLE_RATE and tone(clip)[0] == pytest.approx(0.5, abs=0.03)


def test_ten_minutes_are_reached_by_seeking_and_cut_with_a_note(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mp4", seconds=600, fps=2, size=(32, 32), gop=20, sound_rate=8000)
    whole = decode_clip(path, frames=8)
    assert whole.duration == pytest.approx(60)
    assert whole.audio is not None and len(whole.audio) == 60 * SAMPLE_RATE
    assert whole.notes == ("only 0–60 s of 600.0 s are used",)
    span = decode_clip(path, start=500.2, end=504.2, frames=4)
    assert span.frames is not None and span.audio is not None and span.notes == ()
    np.testing.assert_allclose(span.frames.times, [0.5, 1.5, 2.5, 3.5], atol=0.31)
    assert len(span.audio) == 4 * SAMPLE_RATE


@pytest.mark.parametrize("gop", [3, 12, 300])
def test_skipping_groups_of_pictures_changes_no_pixel(tmp_path: Path, gop: int) -> None:
    path = record(tmp_path / "a.mp4", gop=gop, seconds=4.0)
    clip = decode_clip(path, frames=3)
    with av.open(str(path)) as container:
        every = {f.time: f.to_ndarray(format="rgb24") for f in container.decode(video=0)}
    assert clip.frames is not None
    for time, image in zip(clip.frames.times, clip.frames.images, strict=True):
        reference = every[min(every, key=lambda t: abs(t - time))]
        np.testing.assert_allclose(image.astype(int), reference.astype(int), atol=2)


def test_matroska_named_mp4_without_a_stated_length(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mp4", container="matroska", options={"live": "1"})
    with av.open(str(path)) as container:
        assert container.duration is None and container.streams.video[0].frames == 0
    clip = decode_clip(path)
    assert clip.duration == pytest.approx(3, abs=0.1)
    np.testing.assert_allclose(shown_seconds(clip), 3 * (np.arange(8) + 0.5) / 8, atol=0.15)


def test_a_cut_off_file_gives_what_is_there_and_says_so(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mp4", seconds=6, options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    clip = decode_clip(path)
    assert clip.frames is not None and 1 < clip.duration < 5.5
    assert any("its header says 6.0 s" in note for note in clip.notes), clip.notes
    np.testing.assert_allclose(shown_seconds(clip), clip.frames.times, atol=0.15)


def test_a_cut_off_file_without_its_index_is_one_line(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mp4", seconds=2)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(MediaError, match=r"a\.mp4: is not a readable media file") as caught:
        decode_clip(path)
    assert caught.value.reason == "unreadable"


def test_no_sound_no_picture_and_cover_art(tmp_path: Path) -> None:
    silent = decode_clip(record(tmp_path / "a.mp4", sound_rate=None))
    assert silent.audio is None and silent.frames is not None
    assert silent.notes == ("no audio track",)
    spoken = decode_clip(record(tmp_path / "b.mp4", video=False))
    assert spoken.frames is None and spoken.audio is not None
    assert spoken.notes == ("no video track",)
    cover = tmp_path / "c.mp3"
    _with_cover_art(record(tmp_path / "b.mp3", video=False, sound_codec="libmp3lame"), cover)
    clip = decode_clip(cover)
    assert clip.frames is None and clip.notes == ("no video track",)


def _with_cover_art(sound: Path, out: Path) -> None:
    with av.open(str(sound)) as source, av.open(str(out), "w") as target:
        stream = target.add_stream_from_template(source.streams.audio[0])
        art = target.add_stream("mjpeg", rate=1)
        art.width, art.height, art.pix_fmt = 32, 32, "yuvj420p"
        art.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        target.mux(art.encode(frame.reformat(format="yuvj420p")))
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)


def test_a_fifth_of_a_second_repeats_its_frames(tmp_path: Path) -> None:
    clip = decode_clip(record(tmp_path / "a.mp4", seconds=0.2), frames=8)
    assert clip.frames is not None and clip.audio is not None
    assert len(clip.frames.images) == 8 and 0.19 < clip.duration < 0.35
    assert (np.diff(clip.frames.times) >= 0).all() and len(np.unique(clip.frames.times)) == 5


def test_picture_and_sound_from_two_files(tmp_path: Path) -> None:
    video = record(tmp_path / "v.mp4", sound_rate=None)
    sound = record(tmp_path / "s.wav", video=False, sound_codec="pcm_s16le")
    clip = decode_clip(video, sound, start=1.0, end=2.0)
    assert clip.frames is not None and clip.audio is not None and clip.notes == ()
    assert len(clip.audio) == SAMPLE_RATE


def test_large_pictures_are_scaled_down(tmp_path: Path) -> None:
    clip = decode_clip(record(tmp_path / "a.mp4", size=(640, 360), seconds=0.2), max_side=160)
    assert clip.frames is not None and clip.frames.images.shape[1:] == (90, 160, 3)


def test_what_is_no_media_is_one_line_with_a_reason(tmp_path: Path) -> None:
    text, empty, playlist = tmp_path / "t.mp4", tmp_path / "e.mp4", tmp_path / "p.mp4"
    text.write_text("I am not a film.\n" * 50)
    empty.write_bytes(b"")
    playlist.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n/etc/hostname\n")
    for path, reason in [
        (text, "unreadable"),
        (empty, "unreadable"),
        (playlist, "unreadable"),
        (tmp_path / "gone.mp4", "missing"),
        (tmp_path, "missing"),
    ]:
        with pytest.raises(MediaError) as caught:
            decode_clip(path)
        assert caught.value.reason == reason
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_span_behind_the_end_is_empty(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mp4")
    for start, end in [(5.0, 6.0), (50.0, None), (2.0, 2.0)]:
        with pytest.raises(MediaError) as caught:
            decode_clip(path, start=start, end=end)
        assert caught.value.reason == "empty span"


def test_an_absurd_picture_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "bomb.avi"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("rawvideo", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        out.mux(stream.encode(frame.reformat(format="yuv420p")))
        out.mux(stream.encode(None))
    data = path.read_bytes()
    for sign in (1, -1):  # a raw picture's rows may run downwards
        huge = struct.pack("<ii", 10000, sign * 10000)
        data = data.replace(struct.pack("<ii", 64, sign * 64), huge)
    path.write_bytes(data)
    with pytest.raises(MediaError, match="10000") as caught:
        decode_clip(path)
    assert caught.value.reason == "too large"


def test_an_error_comes_back_whole_from_a_worker_process(tmp_path: Path) -> None:
    error = pickle.loads(pickle.dumps(MediaError("x.mp4: is empty", "unreadable")))
    assert (str(error), error.reason) == ("x.mp4: is empty", "unreadable")
