"""An empty home for weights, where a test asks for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from emollama.assets import fetch


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """EMOLLAMA_HOME with nothing in it and no hub behind it."""
    monkeypatch.setenv("EMOLLAMA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("EMOLLAMA_NO_HUB", "1")
    return tmp_path / "home"


@pytest.fixture
def home_with_faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, with the face detector of the real home."""
    folder = fetch("mtcnn")
    home = tmp_path / "home"
    home.mkdir()
    (home / "mtcnn").symlink_to(folder)
    monkeypatch.setenv("EMOLLAMA_HOME", str(home))
    monkeypatch.setenv("EMOLLAMA_NO_HUB", "1")
    return home
