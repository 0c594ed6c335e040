"""A block of sound is heard by itself, and kept without what tells its speakers."""

from __future__ import annotations

import numpy as np
import pytest

from emollama.recording.voices import LEAD, VOICE_RATE, Ears, VoiceBlock, read_voices, with_vectors
from tests.media.vowels import vowels

RATE = 16_000
SOUND = np.concatenate([vowels(0, 0.5), vowels(120, 4.0), vowels(0, 0.7), vowels(200, 0.9)])
EDGE = 2.4  # in the middle of the first voice


@pytest.fixture(scope="module")
def ears() -> Ears:
    return Ears.from_assets()


@pytest.fixture(scope="module")
def whole(ears: Ears) -> VoiceBlock:
    return read_voices(SOUND, 10.0, ears)


@pytest.fixture(scope="module")
def second(ears: Ears) -> VoiceBlock:
    lead = min(LEAD, EDGE)
    return read_voices(SOUND[round((EDGE - lead) * RATE) :], 10.0 + EDGE, ears, lead)


def test_windows_lie_in_speech_and_none_is_found_twice(
    whole: VoiceBlock, second: VoiceBlock, ears: Ears
) -> None:
    first = read_voices(SOUND[: round(EDGE * RATE)], 10.0, ears)
    assert first.end == second.start == pytest.approx(10 + EDGE)
    assert (first.windows[:, 1] <= first.end + 1e-6).all()
    assert (second.windows[:, 1] > second.start).all()
    # The voice that goes on across the edge is heard in full windows, as in one piece.
    assert second.windows[0, 0] < second.start
    assert np.ptp(second.windows[0]) == pytest.approx(1.6)
    assert 10.4 < whole.windows[0, 0] < 10.7 and 15.9 < whole.windows[-1, 1] < 16.2


def test_a_block_with_its_lead_hears_speech_as_the_whole_does(
    whole: VoiceBlock, second: VoiceBlock
) -> None:
    offset = round(EDGE / 0.032)
    count = len(second.chances)
    np.testing.assert_allclose(second.chances, whole.chances[offset : offset + count], atol=0.1)


def test_loudness_and_pitch_are_measured_in_the_block(whole: VoiceBlock) -> None:
    assert len(whole.loudness) == len(whole.pitch) == round(len(SOUND) / RATE * VOICE_RATE)
    times = (np.arange(len(whole.pitch)) + 0.5) / VOICE_RATE
    low, high = (times > 1) & (times < 4), (times > 5.3) & (times < 6)
    assert np.nanmedian(whole.pitch[low]) == pytest.approx(120, rel=0.08)
    assert np.nanmedian(whole.pitch[high]) == pytest.approx(200, rel=0.08)
    assert np.isnan(whole.pitch[times < 0.4]).all() and (whole.loudness[times < 0.4] < -60).all()


def test_what_may_be_written_holds_no_vectors_and_they_come_back_the_same(
    second: VoiceBlock, ears: Ears
) -> None:
    lead = min(LEAD, EDGE)
    sound = SOUND[round((EDGE - lead) * RATE) :]
    known = with_vectors(second, sound, ears, lead)
    assert known.vectors is not None and known.vectors.shape == (len(second.windows), 256)
    arrays = known.to_arrays()
    assert set(arrays) == {"span", "chances", "windows", "loudness", "pitch"}
    again = with_vectors(VoiceBlock.from_arrays(arrays), sound, ears, lead)
    assert again.vectors is not None and again.vectors.tobytes() == known.vectors.tobytes()
    assert again.to_arrays()["windows"].tobytes() == known.windows.tobytes()


def test_silence_and_nothing_hold_no_voice(ears: Ears) -> None:
    for sound in (np.zeros(RATE, np.float32), np.zeros(0, np.float32)):
        block = with_vectors(read_voices(sound, 30.0, ears), sound, ears)
        assert len(block.windows) == 0 and block.vectors is not None and len(block.vectors) == 0
