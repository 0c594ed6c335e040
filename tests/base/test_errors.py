"""How an entry point ends on a user's mistake."""

from __future__ import annotations

import pytest

from emollama.base.errors import EXIT_CODE, EmollamaError, did_you_mean, one_line_errors


def test_a_message_of_several_lines_is_said_in_one(capsys: pytest.CaptureFixture[str]) -> None:
    @one_line_errors
    def main() -> None:
        raise EmollamaError("clip.mp4: is not\n  a media file\n")

    with pytest.raises(SystemExit) as stop:
        main()
    said = capsys.readouterr()
    assert stop.value.code == EXIT_CODE and said.out == ""
    assert said.err == "error: clip.mp4: is not a media file\n"


def test_a_known_word_of_two_tables_is_listed_once() -> None:
    assert did_you_mean("xyz", ["b", "a", "b"]) == "; known: a, b"


def test_ctrl_c_is_one_word(capsys: pytest.CaptureFixture[str]) -> None:
    @one_line_errors
    def main() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 130 and capsys.readouterr().err == "interrupted\n"
