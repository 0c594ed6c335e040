"""`python -m demo` told something wrong: one line, before anything is loaded."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from emollama.demo.cli import main


def told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> str:
    monkeypatch.setattr(sys, "argv", ["demo", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    found = capsys.readouterr().err
    assert ended.value.code == 2 and found.startswith("error: ") and found.count("\n") == 1
    return found


def test_what_is_wrong_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.delenv("EMOLLAMA_API_KEY", raising=False)
    file = tmp_path / "model.txt"
    file.write_text("no model")
    assert "no such folder" in told(monkeypatch, capsys, "--model", tmp_path / "none")
    assert "it is a file" in told(monkeypatch, capsys, "--model", file)
    model = ("--model", tmp_path)
    assert "not an artefact" in told(monkeypatch, capsys, *model, "--port", 0)
    assert "0 to 65535" in told(monkeypatch, capsys, *model, "--port", 99999)
    assert "EMOLLAMA_API_KEY" in told(monkeypatch, capsys, *model, "--host", "0.0.0.0")
    (tmp_path / "fusion.json").touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"127.0.0.1:{port}" in told(monkeypatch, capsys, *model, "--port", port)
