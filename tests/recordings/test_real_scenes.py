"""Real scenes: what the truth says is where the sound is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.recordings.actors import fitted
from benchmarks.recordings.real_scenes import make_scenes
from benchmarks.recordings.utterances import speech_span, spoken_spans
from emollama.base.errors import EmollamaError
from emollama.media.clip import SAMPLE_RATE
from emollama.media.decode import decode_clip
from emollama.probe.scene_truth import read_truths

DATA = Path(__file__).parents[3] / "shared/data"


def test_speech_begins_and_ends_where_two_steps_are_loud() -> None:
    sound = np.full(3 * SAMPLE_RATE, 1e-4, np.float32)
    sound[SAMPLE_RATE : 2 * SAMPLE_RATE] = 0.3
    sound[1000:1010] = 0.9  # a click
    first, last = speech_span(sound)
    assert first == SAMPLE_RATE
    assert last == 2 * SAMPLE_RATE


def test_a_pause_within_a_clip_is_not_speech_when_it_is_long() -> None:
    sound = np.full(4 * SAMPLE_RATE, 0.3, np.float32)
    for start, seconds in ((0.5, 0.2), (2.0, 0.6)):
        first = round(start * SAMPLE_RATE)
        sound[first : first + round(seconds * SAMPLE_RATE)] = 1e-4
    assert np.allclose(spoken_spans(sound), [(0.0, 2.0), (2.6, 4.0)], atol=0.03)


def test_a_narrow_frame_has_bars_and_a_wide_one_is_cut() -> None:
    frames = np.full((1, 270, 360, 3), 200, np.uint8)
    wide = fitted(frames, 640, 360)[0]
    assert wide.shape == (360, 640, 3)
    assert wide[0, 0, 0] == 0 and wide[0, 320, 0] == 200 and wide[0, -1, 0] == 0
    assert (fitted(frames, 320, 360) == 200).all()


@pytest.mark.skipif(not (DATA / "emodb").is_dir(), reason="EMO-DB is not here")
def test_a_scene_is_heard_where_its_truth_says(tmp_path: Path) -> None:
    people = ("03", "08", "09")
    path = make_scenes("emodb", DATA, tmp_path, people, 2, 1, 30.0, 5)[0]
    truth = read_truths(tmp_path)[0]
    sound = decode_clip(path, want_video=False).audio
    assert sound is not None and sound.size == 30 * SAMPLE_RATE
    times = np.arange(sound.size) / SAMPLE_RATE
    spoken = np.zeros(times.size, bool)
    for segment in truth.segments:
        spoken |= (segment.start - 0.001 <= times) & (times < segment.end + 0.001)
    assert np.abs(sound[~spoken]).max() < 0.01
    for segment in truth.segments:
        part = sound[(segment.start <= times) & (times < segment.end)]
        assert 0.02 < part.std() < 0.12
    before = path.read_bytes()
    path.unlink()
    make_scenes("emodb", DATA, tmp_path, people, 2, 1, 30.0, 5)
    assert path.read_bytes() == before
    with pytest.raises(EmollamaError, match="other settings"):
        make_scenes("emodb", DATA, tmp_path, people, 3, 1, 30.0, 5)
