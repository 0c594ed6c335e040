"""The speaker encoder says what its publisher's own code says, and tells real voices apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emollama.media.decode import decode_clip
from emollama.media.speakers import PARTIAL, SPEAKER_WIDTH, SpeakerEncoder
from tests.media.vowels import vowels

RAVDESS = Path(__file__).parents[3] / "shared/data/ravdess/audio"

STRONGEST = [138, 146, 177, 193, 99, 8]
FIRST = [0.37008, 0.22468, 0.21807, 0.20517, 0.20200, 0.19835]
SIXTH = [0.32641, 0.23591, 0.18458, 0.17880, 0.19824, 0.19355]
"""Of the partials of `vowels(120, 3.0)` that begin at 0 and 1 s, as Resemblyzer 0.1.4's
`VoiceEncoder.embed_utterance(wav, return_partials=True, rate=5)` gave them with librosa 0.11.0."""


@pytest.fixture(scope="module")
def encoder() -> SpeakerEncoder:
    return SpeakerEncoder.from_asset()


def voice(encoder: SpeakerEncoder, actor: str, name: str) -> np.ndarray:
    audio = decode_clip(RAVDESS / f"Actor_{actor}/{name}-{actor}.flac", want_video=False).audio
    assert audio is not None
    middle = len(audio) // 2
    return encoder.vectors([audio[middle - 12_800 : middle + 12_800]])[0]


def test_spectra_and_vectors_are_those_of_the_publishers_code(encoder: SpeakerEncoder) -> None:
    mels = encoder.mels(vowels(120, 3.0))
    assert mels.shape == (301, 40)
    np.testing.assert_allclose(mels[100, :3], [0.00423003, 0.01553851, 0.06660218], rtol=1e-4)
    assert float(mels.sum()) == pytest.approx(356.50717, rel=1e-4)
    for start, theirs in ((0, FIRST), (100, SIXTH)):
        ours = encoder(mels[None, start : start + PARTIAL])[0]
        np.testing.assert_allclose(ours[STRONGEST], theirs, atol=2e-4)


def test_a_vector_has_length_one_whatever_the_level(encoder: SpeakerEncoder) -> None:
    sound = vowels(180, 1.6)
    loud, quiet, silent = encoder.vectors([sound, 0.01 * sound, 0 * sound])
    assert loud.shape == (SPEAKER_WIDTH,) and float(loud @ loud) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(loud, quiet, atol=1e-4)
    assert np.isfinite(silent).all()
    assert encoder.vectors([]).shape == (0, SPEAKER_WIDTH)


@pytest.mark.skipif(not RAVDESS.is_dir(), reason=f"{RAVDESS} is absent")
def test_one_person_is_nearer_to_themselves_than_to_another(encoder: SpeakerEncoder) -> None:
    one, again = (voice(encoder, "01", f"03-01-01-01-0{s}-01") for s in (1, 2))
    other = voice(encoder, "03", "03-01-01-01-01-01")
    assert one @ again > one @ other + 0.1
