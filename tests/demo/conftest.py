from __future__ import annotations

from pathlib import Path

import pytest

from emollama.serving.settings import Settings
from emollama.session import Session, open_session
from tests.media.recording import record
from tests.session.made import tiny_artefact

SETTINGS = Settings(port=0, watchers=1, max_seconds=20, max_bytes=1 << 20, watch_seconds=300)


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return open_session(tiny_artefact(tmp_path_factory.mktemp("tiny")), "float32", describe=False)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture without a face, and a voice."""
    return record(tmp_path_factory.mktemp("clips") / "voice.mp4", seconds=1.5, voice=True)
