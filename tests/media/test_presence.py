"""A voice is there where somebody speaks, a face where it is found in enough frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emollama.media.decode import decode_clip
from emollama.media.presence import LEAST_FACES, LEAST_SPEECH, enough_faces, speaks, speech_seconds
from emollama.media.speech import SpeechActivity
from tests.media.vowels import vowels

RAVDESS = Path(__file__).parents[3] / "shared/data/ravdess/audio"
TIMES = np.arange(3 * 16_000) / 16_000
NOISE = np.random.default_rng(0).normal(size=len(TIMES))
SILENT = {
    "nothing": TIMES[:0],
    "a moment": TIMES[:100],
    "silence": 0 * TIMES,
    "a low tone": 0.3 * np.sin(2 * np.pi * 110 * TIMES),
    "a tone": 0.3 * np.sin(2 * np.pi * 440 * TIMES),
    "a high tone": 0.3 * np.sin(2 * np.pi * 3000 * TIMES),
    "loud noise": 0.2 * NOISE,
    "room tone": 0.001 * NOISE,
    "clicks": 0.5 * (np.arange(len(TIMES)) % 4000 < 20),
}


@pytest.mark.parametrize("kind", SILENT)
def test_nobody_speaks(kind: str) -> None:
    assert not speaks(SILENT[kind].astype(np.float32))


@pytest.mark.parametrize("pitch", [90, 150, 220])
@pytest.mark.parametrize("gain", [1.0, 0.05])
def test_somebody_speaks(pitch: float, gain: float) -> None:
    assert speaks((gain * vowels(pitch, 1.0)).astype(np.float32))


def test_a_word_in_a_long_silence_is_a_voice() -> None:
    sound = np.zeros(10 * 16_000, np.float32)
    sound[80_000:88_000] = vowels(120, 0.5)
    activity = SpeechActivity.from_asset()
    assert LEAST_SPEECH <= speech_seconds(activity, sound) < 1


def test_where_little_is_heard_it_is_listened_to_again_lower() -> None:
    class Heard(SpeechActivity):
        def seconds(self, audio: np.ndarray) -> float:
            lengths.append(len(audio))
            return 0.1 if len(audio) == 16_000 else 0.5

    lengths: list[int] = []
    activity = Heard()
    assert speech_seconds(activity, np.zeros(16_000, np.float32)) == pytest.approx(0.4)
    assert lengths == [16_000, 20_000]
    assert speech_seconds(activity, np.zeros(20_000, np.float32)) == 0.5 and len(lengths) == 3


@pytest.mark.skipif(not RAVDESS.is_dir(), reason=f"{RAVDESS} is absent")
@pytest.mark.parametrize(
    "name", ["03-01-01-01-01-01-01", "03-01-06-02-02-02-20", "03-01-05-02-02-01-18"]
)
def test_real_voices_are_heard_shouted_ones_too(name: str) -> None:
    clip = decode_clip(next(RAVDESS.rglob(f"{name}.flac")), want_video=False)
    assert clip.audio is not None and speaks(clip.audio)


def test_a_face_in_one_of_ten_frames_is_none() -> None:
    assert not enough_faces([]) and not enough_faces([None] * 8)
    assert not enough_faces([object(), *[None] * 9])
    assert enough_faces([object()]), "a picture has one frame"
    just = int(np.ceil(8 * LEAST_FACES))
    assert enough_faces([object()] * just + [None] * (8 - just))
    assert not enough_faces([object()] * (just - 1) + [None] * (9 - just))
