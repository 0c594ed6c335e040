"""No voice, no face: the same rule in extraction and before an answer, and it is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emollama.base.errors import EmollamaError
from emollama.base.files import read_json, write_json
from emollama.encoders.base import Encoder
from emollama.encoders.presence import NO_SPEECH
from emollama.encoders.prosody import ProsodyEncoder
from emollama.encoders.table import parse_encoder
from emollama.features.extract import extract
from emollama.features.store import RECORD, FeatureStore
from emollama.manifest.sample import Manifest, Sample
from emollama.probe.emotions import FACE_UNITS
from emollama.probe.faces import FacePainter
from emollama.probe.identity import make_identity
from emollama.probe.render import write_film
from emollama.session import open_session
from emollama.session.observing import Observer
from tests.features.made import manifest, voice, write_wav
from tests.session.made import tiny_artefact

TONE = 0.3 * np.sin(2 * np.pi * 330 * np.arange(24_000) / 16_000)


@pytest.fixture
def made(tmp_path: Path) -> Manifest:
    voice(tmp_path / "voice.wav", 150, 1.5)
    write_wav(tmp_path / "tone.wav", TONE)
    return manifest(tmp_path, [Sample(id=i, audio=f"{i}.wav") for i in ("voice", "tone")])


def test_a_tone_is_told_and_not_answered_from(made: Manifest, tmp_path: Path) -> None:
    session = open_session(tiny_artefact(tmp_path / "tiny"), "float32", describe=True)
    told = f"{NO_SPEECH}: the voice is not used"
    answer = session.answer(session.look(tmp_path / "tone.wav", "It broke."), explain=False)
    assert answer.channels == ("words",) and told in answer.notes and not answer.clues
    assert answer.to_dict()["absent"] == {"voice": NO_SPEECH}
    assert not session.look(tmp_path / "tone.wav", "It broke.").observation.measurements
    with pytest.raises(EmollamaError, match=f"voice: {NO_SPEECH}, words: no words"):
        session.look(tmp_path / "tone.wav", "")
    whole = session.answer(session.look(tmp_path / "voice.wav", "It broke."), explain=False)
    assert whole.channels == ("voice", "words") and whole.to_dict()["absent"] == {}


def test_extraction_goes_by_the_same_rule_and_counts_the_reasons(
    made: Manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder = ProsodyEncoder()
    store = tmp_path / "store"
    report = extract(made, [encoder], store, workers=0)
    assert report.counts[encoder.key] == {"ok": 1, "absent": 1}
    assert report.absent[encoder.key] == {NO_SPEECH: 1}
    reader = FeatureStore.open(store).reader(encoder.key)
    assert reader.status("tone") == "absent" and reader.get("tone") is None
    observer = Observer({encoder.key: encoder}, describe=False)
    for sample in made.samples:
        online = observer.watch(tmp_path / str(sample.audio), transcribe=False)
        cached = reader.get(sample.id)
        track = online.tracks[encoder.key]
        assert (cached is None) == (track is None)
        if cached is not None:
            assert track is not None
            np.testing.assert_array_equal(cached.values, track.values)  # type: ignore[union-attr]
    # A store of an earlier release has no rule in its record: it is read and continued, and told.
    record = read_json(store / encoder.key / RECORD)
    write_json(store / encoder.key / RECORD, {k: v for k, v in record.items() if k != "presence"})
    capsys.readouterr()
    assert extract(made, [encoder], store, workers=0).computed == 0
    assert "keeps the tracks of then" in capsys.readouterr().err
    assert FeatureStore.open(store).reader(encoder.key).get("voice") is not None


@pytest.mark.parametrize(("seen", "present"), [(4, False), (40, True)])
def test_a_face_in_one_of_ten_frames_is_told_and_not_used(
    tmp_path: Path, seen: int, present: bool
) -> None:
    face = FacePainter(make_identity(4)).draw(FACE_UNITS["happy"])
    frames = np.repeat(np.full_like(face, 128)[None], 40, 0)
    frames[:seen] = face
    write_film(tmp_path / "clip.mp4", frames, np.zeros(25_600, np.float32), 16_000)
    encoder: Encoder = parse_encoder("expression+frames=10")
    observation = Observer({encoder.key: encoder}).watch(tmp_path / "clip.mp4", transcribe=False)
    assert (observation.tracks[encoder.key] is not None) == present
    few = "a face was found in only 2 of 24 frames looked at"
    assert observation.absent == ({} if present else {"face": few})
    assert bool(observation.measurements) == present


def test_a_picture_without_a_face_is_one_frame(tmp_path: Path) -> None:
    Image.fromarray(np.full((64, 64, 3), 128, np.uint8)).save(tmp_path / "grey.png")
    encoder: Encoder = parse_encoder("expression+frames=10")
    observation = Observer({encoder.key: encoder}).watch(tmp_path / "grey.png", transcribe=False)
    assert observation.absent == {"face": "no face found in 1 frame looked at"}
