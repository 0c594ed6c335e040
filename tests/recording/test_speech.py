"""Hearing a recording ends early where nothing is understood, and goes on where it was left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from emollama.media.speech import Span
from emollama.recording import speech
from emollama.recording.parts import Word
from emollama.recording.words import Passage
from emollama.recording.work import opened

WINDOWS = [Span(30.0 * i, 30.0 * i + 28) for i in range(40)]


class English:
    """A transcriber of one language, which finds so many words in a window."""

    language = None
    languages: dict[str, int] = {}  # noqa: RUF012

    def __init__(self, words: int) -> None:
        self.words, self.heard = words, 0


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def hear_words(whisper: English, audio: Any, spans: Any, language: Any, done: int) -> Any:
        for window in WINDOWS[done:]:
            whisper.heard += 1
            step = 28 / max(1, whisper.words)
            words = [Word(window.start + step * i, window.start + step * (i + 1), "so")
                     for i in range(whisper.words)]  # fmt: skip
            yield Passage(window, tuple(words), -0.3)

    monkeypatch.setattr(speech, "hear_words", hear_words)
    monkeypatch.setattr(speech, "recording_windows", lambda audio, spans: WINDOWS)
    monkeypatch.setattr(speech, "heard_speech", lambda blocks: WINDOWS)


def heard(folder: Path, whisper: English) -> speech.Said:
    with opened(folder, {"recording": "talk.wav"}) as work:
        assert work is not None
        return speech.hear(Path("talk.wav"), [], lambda: whisper, work)  # type: ignore[arg-type,return-value]


def test_a_language_that_is_not_known_is_given_up(counted: None, tmp_path: Path) -> None:
    foreign = English(words=10)
    said = heard(tmp_path / "out", foreign)
    assert foreign.heard == 7 and not said.words  # 196 of 1,120 s
    assert "sure of only 0.4 words a second" in said.notes[0]
    again = English(words=10)
    assert heard(tmp_path / "out", again) == said and again.heard == 0


def test_known_speech_is_heard_to_the_end(counted: None, tmp_path: Path) -> None:
    english = English(words=70)
    said = heard(tmp_path / "out", english)
    assert english.heard == 40 and len(said.words) == 40 * 70 and said.notes == ()
