"""A fusion model asked about a clip: frames of the first modality, words it tokenizes itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.encoders.base import FeatureTrack
from emollama.encoders.prosody import ProsodyEncoder
from emollama.fusion import artefact
from emollama.manifest.labels import LabelSet
from emollama.session import FusionSession
from tests.features.made import voice
from tests.fusion.media_made import LONGEST, saved_text
from tests.fusion.systems_made import LABELS, model_of, section
from tests.media.recording import record


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> FusionSession:
    """Voice by prosody in four steps, words by a text encoder, a face from another tool's files."""
    folder = tmp_path_factory.mktemp("frames")
    encoder = ProsodyEncoder(segments=4)
    voice = section("voice") | {"source": encoder.key, "width": encoder.width,
                                "fingerprint": encoder.fingerprint}  # fmt: skip
    words = {"name": "words", "channel": "words", "kind": "tokens",
             "source": str(saved_text(folder / "text"))}  # fmt: skip
    face = section("face") | {"source": "npy:made"}
    options = {"width": 8, "regressor": [8]}
    model = model_of("va_fclstm", options, [voice, words, face], "frames")
    about = artefact.About(labels=LabelSet("made", tuple(LABELS)))
    artefact.save({artefact.MAIN: model}, about, folder / "model", {}, "# card\n")
    return FusionSession.open(folder / "model", describe=False)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "voice.wav"
    voice(path, 180, 1.5)
    return path


def test_frames_stay_where_they_are_when_their_own_channel_is_left_out(
    session: FusionSession, clip: Path
) -> None:
    look = session.look(clip, "")
    assert look.present == ("voice",)
    assert "modality 'face' needs tracks from another tool's folder: left out" in look.notes
    face = FeatureTrack(np.eye(3, 4, dtype=np.float32), np.array([0.2, 0.7, 1.2], np.float32))
    seen = replace(look, tracks={**look.tracks, "face": face}, present=("voice", "face"))
    whole, silent = (session.answer(x) for x in (seen, seen.without("voice")))
    assert whole.frames is not None and silent.frames is not None
    assert silent.frames.times == whole.frames.times and len(silent.frames.times) == 4
    told = silent.frames.values["valence"]
    assert silent.values is not None and silent.values["valence"] == pytest.approx(np.mean(told))
    assert np.ptp(told) > 0 and told != whole.frames.values["valence"]
    with pytest.raises(EmollamaError, match="predicts values and has no labels") as refused:
        session.answer(look, labels=["a", "b"])
    assert "/" not in str(refused.value)  # servers tell it to strangers
    assert set(silent.to_dict()["frames"]) == {"times", "valence"}


def test_words_are_tokenized_by_the_models_own_tokenizer(
    session: FusionSession, clip: Path
) -> None:
    look = session.look(clip, "it is all over")
    assert look.present == ("voice", "words")
    assert session.batch(look).valid["words"].sum() == 6  # with the two that frame them
    long = session.reworded(look, "over " * 20)
    assert session.batch(long).valid["words"].sum() == LONGEST
    assert f"only the first {LONGEST} tokens of the words are read" in long.notes
    values = [session.answer(x).values for x in (look, long, look.without("words"))]
    assert len({tuple(v.values()) for v in values if v is not None}) == 3


def test_frames_that_nobody_can_place_are_one_line(
    session: FusionSession, clip: Path, tmp_path: Path
) -> None:
    look = session.look(clip, "it is all over")
    with pytest.raises(EmollamaError, match=r"^words: .* use voice as well$"):
        session.answer(look.without("voice"))
    mute = record(tmp_path / "mute.mp4", sound_rate=None)
    with pytest.raises(EmollamaError, match=r"mute\.mp4: has no voice, which this model"):
        session.look(mute, "it is all over")
