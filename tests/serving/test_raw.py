"""A model that reads sound and pictures themselves is served like any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from emollama.fusion import artefact
from emollama.manifest.labels import LabelSet
from emollama.serving.decoders import DecoderPool
from emollama.serving.settings import Settings
from emollama.session import FusionSession
from tests.fusion.systems_made import LABELS, model_of
from tests.fusion.test_trainable import saved_speech
from tests.media.recording import record


def test_raw_media_are_read_where_clips_are_decoded(tmp_path: Path) -> None:
    sections = [
        {"name": "voice", "channel": "voice", "kind": "waveform",
         "source": str(saved_speech(tmp_path / "speech"))},
        {"name": "face", "channel": "face", "kind": "frames", "count": 2, "side": 64},
    ]  # fmt: skip
    model = model_of("amst", {"width": 8}, sections, "label")
    about = artefact.About(labels=LabelSet("made", tuple(LABELS)))
    artefact.save({artefact.MAIN: model}, about, tmp_path / "model", {}, "# card\n")
    session = FusionSession.open(tmp_path / "model", describe=False)
    clip = record(tmp_path / "clip.mp4", seconds=1.5, voice=True)
    decoders = DecoderPool(session, Settings(watchers=1))
    try:
        look = session.look_at(decoders.watch(clip, transcribe=False))
    finally:
        decoders.close()
    assert look.used == ("voice", "face")
    here = session.look(clip)
    assert session.answer(look).scores == pytest.approx(session.answer(here).scores, abs=1e-6)
    assert session.answer(look.without("face")).scores != session.answer(look).scores
