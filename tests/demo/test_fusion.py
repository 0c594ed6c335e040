"""A fusion model on the page: no conversation, everything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from emollama.demo.callbacks import Callbacks
from emollama.demo.page import build
from emollama.encoders.prosody import ProsodyEncoder
from emollama.fusion import artefact
from emollama.manifest.labels import LabelSet
from emollama.session import Session, open_session
from tests.demo.conftest import SETTINGS
from tests.demo.made import InProcess
from tests.demo.test_callbacks import error_of, last, opened, scores, talk_of
from tests.fusion.systems_made import LABELS, model_of, section


def made(
    folder: Path, system: str, kind: str, options: dict[str, Any] | None = None, **task: Any
) -> Session:
    """A random model over prosody, saved and opened."""
    encoder = ProsodyEncoder(segments=4)
    voice = section("voice") | {"source": encoder.key, "width": encoder.width,
                                "fingerprint": encoder.fingerprint}  # fmt: skip
    model = model_of(system, options or {}, [voice], kind, **task)
    about = artefact.About(labels=LabelSet("made", tuple(LABELS)))
    artefact.save({artefact.MAIN: model}, about, folder / "model", {}, "# card\n")
    return open_session(folder / "model", describe=False)


@pytest.fixture
def page(tmp_path: Path) -> Callbacks:
    session = made(tmp_path, "early", "label")
    return Callbacks(session, InProcess(session, SETTINGS), tmp_path)


def test_a_fusion_model_gives_everything_but_a_chat(page: Callbacks, clip: Path) -> None:
    desk, _, found = opened(page, clip)
    assert len(scores(found)) == len(LABELS) and "Shapley" in found["carried"]
    assert len(scores(last(page.relabel(desk, "happy, sad")))) == 2
    assert "is not one of this fusion" in error_of(page.relabel(desk, "happy, calm"))
    assert "no channel is left" in error_of(page.use(desk, False))
    assert last(page.save_json(desk))["saved"] and last(page.save_sheet(desk))["saved"]
    assert "writes no text" in error_of(talk_of(page).ask(desk, "Why?", 0, 1, 8))
    blocks = build(page, "not asked for")
    kinds = [type(block) for block in blocks.blocks.values()]
    assert gr.Chatbot not in kinds and gr.Checkbox in kinds


def test_values_over_time_stand_in_the_timeline(tmp_path: Path, clip: Path) -> None:
    small = {"width": 8, "heads": 2, "layers": 1, "hidden": 8}
    names = ["valence", "arousal"]
    session = made(tmp_path, "va_transformer", "frames", small, values=names)
    page = Callbacks(session, InProcess(session, SETTINGS), tmp_path)
    _, _, found = opened(page, clip)
    assert "valence and arousal" in found["timeline"] and "<polyline" in found["timeline"]
    assert "mean over the clip" in found["answer"] and "values" in found["carried"]
