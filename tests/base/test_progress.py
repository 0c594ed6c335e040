"""A bar on a terminal."""

from __future__ import annotations

import sys

import pytest

from emollama.base.progress import bar


def test_what_is_measured_is_no_markup(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with bar("answers, my [/b] model") as advance:
        advance(1, 1)
    assert "my [/b] model" in capsys.readouterr().err
