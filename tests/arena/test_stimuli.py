"""What is taken away is gone, and the rest is what it was."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.resampler import AudioResampler

from emollama.arena.questions import orders_of, questions
from emollama.arena.stimuli import Stimuli
from emollama.manifest.labels import label_set
from emollama.manifest.sample import Manifest
from emollama.media.decode import decode_clip
from tests.arena.made import LABELS, arena, clips, endpoint


def test_a_muted_and_a_blank_film(tmp_path: Path) -> None:
    manifest = clips(tmp_path / "clips", 1)
    config = arena(
        manifest, tmp_path / "out", {"x": endpoint("http://127.0.0.1:9", "x")},
        ablations=["mute", "blank", "wordless"],
    )  # fmt: skip
    shown = Stimuli(manifest, tmp_path / "out" / "clips")
    asked = {q.ablation: q for q in questions(config, manifest.samples, LABELS)}
    whole, mute, blank, wordless = (shown.of(asked[a]) for a in (None, "mute", "blank", "wordless"))
    assert whole.file == wordless.file == tmp_path / "clips" / "0.mp4"
    assert (whole.words, mute.words, wordless.words) == ("Sentence 0.", "Sentence 0.", "")
    films = [decode_clip(x.file, frames=5) for x in (whole, mute, blank)]
    assert films[1].audio is None
    np.testing.assert_array_equal(films[0].frames.images, films[1].frames.images)
    np.testing.assert_array_equal(films[0].audio, films[2].audio)
    assert np.ptp(films[2].frames.images) <= 2
    assert abs(films[2].duration - films[0].duration) < 0.1


@pytest.mark.parametrize(
    ("name", "picture", "sound"),
    [
        ("a.webm", "libvpx", "libopus"),
        ("a.avi", "mpeg4", "pcm_s16le"),
        ("a.mkv", "libx264", "flac"),
    ],
)
def test_films_of_other_formats(tmp_path: Path, name: str, picture: str, sound: str) -> None:
    (one,) = clips(tmp_path, 1).samples
    with av.open(str(tmp_path / "0.mp4")) as film, av.open(str(tmp_path / name), "w") as made:
        tracks = made.add_stream(picture, rate=25), made.add_stream(sound, rate=48_000)
        tracks[0].width = tracks[0].height = 32
        resampled = AudioResampler(tracks[1].format, "mono", 48_000, tracks[1].frame_size or 1024)
        for packet in film.demux():
            for frame in packet.decode():
                seen = isinstance(frame, av.VideoFrame)
                frames = [frame] if seen else resampled.resample(frame)
                made.mux([p for f in frames for p in tracks[not seen].encode(f)])
        made.mux([p for track in tracks for p in track.encode()])
    manifest = Manifest(tmp_path / "m", "made", label_set("made", *LABELS),
                        (one.model_copy(update={"video": name}),))  # fmt: skip
    config = arena(manifest, tmp_path / "out", {"x": endpoint("http://127.0.0.1:9", "x")},
                   ablations=["mute", "blank"])  # fmt: skip
    shown = Stimuli(manifest, tmp_path / "out" / "clips")
    asked = {q.ablation: q for q in questions(config, manifest.samples, LABELS)}
    whole, mute, blank = (decode_clip(shown.of(asked[a]).file, frames=5)
                          for a in (None, "mute", "blank"))  # fmt: skip
    assert mute.audio is None and np.ptp(blank.frames.images) <= 2
    np.testing.assert_array_equal(whole.frames.images, mute.frames.images)
    np.testing.assert_array_equal(whole.audio, blank.audio)


def test_nothing_is_left_of_a_muted_film_without_a_picture(tmp_path: Path) -> None:
    (one,) = clips(tmp_path, 1).samples
    with av.open(str(tmp_path / "0.mp4")) as film, av.open(str(tmp_path / "s.mp4"), "w") as made:
        track = made.add_stream_from_template(film.streams.audio[0])
        for packet in film.demux(film.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = track
                made.mux(packet)
    manifest = Manifest(tmp_path / "m", "made", label_set("made", *LABELS),
                        (one.model_copy(update={"video": "s.mp4"}),))  # fmt: skip
    config = arena(manifest, tmp_path / "out", {"x": endpoint("http://127.0.0.1:9", "x")})
    muted = next(q for q in questions(config, manifest.samples, LABELS) if q.ablation == "mute")
    assert Stimuli(manifest, tmp_path / "out" / "clips").of(muted).file is None


def test_a_span_of_two_files_is_one_film(tmp_path: Path) -> None:
    manifest = clips(tmp_path / "clips", 2)
    sample = manifest.samples[0].model_copy(
        update={"audio": "1.mp4", "start": 0.2, "end": 0.8, "view": (0.0, 0.0, 0.5, 1.0)}
    )
    manifest = type(manifest)(manifest.path, "made", manifest.labels, (sample,))
    config = arena(manifest, tmp_path / "out", {"x": endpoint("http://127.0.0.1:9", "x")})
    shown = Stimuli(manifest, tmp_path / "out" / "clips")
    first = next(questions(config, manifest.samples, LABELS))
    found = decode_clip(shown.of(first).file, frames=3)
    heard = decode_clip(tmp_path / "clips/1.mp4", start=0.2, end=0.8, want_video=False).audio
    assert found.frames.images.shape[1:3] == (32, 16)
    assert abs(found.duration - 0.6) < 0.15
    length = min(len(heard), len(found.audio))
    assert np.corrcoef(heard[:length], found.audio[:length])[0, 1] > 0.9


def test_twins_are_asked_the_same(tmp_path: Path) -> None:
    manifest = clips(tmp_path / "clips", 3)
    one, two, other = (
        s.model_copy(update={"truth": {"pair": pair}})
        for s, pair in zip(manifest.samples, ("a", "a", "b"), strict=True)
    )
    config = arena(manifest, tmp_path / "out", {"x": endpoint("http://127.0.0.1:9", "x")})
    texts = [[q.text for q in questions(config, [s], LABELS)] for s in (one, two, other)]
    assert texts[0] == texts[1] != texts[2]


def test_no_label_has_a_place_of_its_own() -> None:
    drawn = [order for k in range(300) for order in orders_of(LABELS, 0, f"clip-{k}", 2)]
    counted = [drawn.count(order) for order in set(drawn)]
    assert len(counted) == 24 and max(counted) < 60
    assert len(set(orders_of(LABELS, 0, "clip-0", 24))) == 24
    assert orders_of(LABELS[:2], 0, "clip-0", 4)[2:] != []
    assert orders_of(LABELS, 0, "clip-0", 2) != orders_of(LABELS, 1, "clip-0", 2)
