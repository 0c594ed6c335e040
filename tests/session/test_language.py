"""The language of the words is told with an answer, where the transcriber knows several."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emollama.media.languages import Language
from emollama.media.transcript import Phrase, Transcriber, Transcript
from tests.media.recording import record
from tests.media.small_whisper import save_whisper
from tests.session.made import tiny_artefact
from tests.session.test_answers_table import predict

NOTE = "the words were transcribed by my-whisper, in German (detected, 93%)"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("language")
    tiny_artefact(folder)
    save_whisper(folder / "my-whisper")
    record(folder / "clip.mp4", seconds=2.0, video=False)
    return folder


def answer(*command: Any) -> Any:
    told = predict(*command, "--json")
    (line,) = (x for x in told.splitlines() if x.startswith("{"))
    return json.loads(line)


def test_a_prediction_tells_the_language(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []

    def hears(self: Transcriber, audio: np.ndarray) -> Transcript:
        asked.append(self.language)
        found = Language("de", 0.93) if self.language is None else Language(self.language)
        return Transcript((Phrase(0.0, 1.0, "Guten Morgen."),), found)

    monkeypatch.setattr(Transcriber, "transcribe", hears)
    command = (made / "clip.mp4", "--model", made / "model", "--no-explain")
    mine = ("--transcriber", made / "my-whisper")
    told = answer(*command, *mine)
    assert told["text"] == "Guten Morgen." and NOTE in told["notes"]
    assert told["language"] == {"code": "de", "probability": 0.93}
    table = made / "table.csv"
    predict(*command, *mine, "--language", "zh", "--out", table)
    (row,) = csv.DictReader(table.read_text(encoding="utf-8-sig").splitlines())
    assert row["language"] == "code: zh" and asked == [None, "zh"]
    # Another language is another question: the table is not resumed.
    assert "with other options" in predict(*command, *mine, "--language", "de", "--out", table)
    given = answer(*command, *mine, "--text", "Hello.")
    assert "language" not in given and len(asked) == 2


def test_nothing_is_transcribed_by_one_that_is_named_in_vain(made: Path) -> None:
    command = (made / "clip.mp4", "--model", made / "model")
    assert "knows only English" in predict(*command, "--language", "de")
    base = ("--transcriber", "whisper-base")
    assert "did you mean 'de'" in predict(*command, *base, "--language", "de-DE")
    for vain in (("--no-transcribe",), ("--no-transcribe", "--language", "en")):
        named = base if len(vain) == 1 else ()
        assert "--no-transcribe leaves nothing" in predict(*command, *vain, *named)
