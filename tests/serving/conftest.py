from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from emollama.serving.settings import Settings
from emollama.session import Session, open_session
from tests.features.made import voice
from tests.serving.running import Running, running
from tests.session.made import tiny_artefact


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return open_session(tiny_artefact(tmp_path_factory.mktemp("tiny")), "float32", describe=False)


@pytest.fixture(scope="session")
def server(session: Session, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    settings = Settings(
        port=0, watchers=1, max_seconds=20, max_bytes=1 << 20, max_side=640, max_rate=60,
        watch_seconds=60, queue=16,
    )  # fmt: skip
    with running(session, tmp_path_factory.mktemp("uploads"), settings) as found:
        yield found


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "voice.wav"
    voice(path, 180, 1.2)
    return path
