"""`emollama chat`, line by line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emollama.cli.chat import Terminal, Wrapped
from emollama.session import Sampling, open_session
from tests.features.made import voice
from tests.session.made import tiny_artefact


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "voice.wav"
    voice(path, 180, 1.0)
    return path


def test_a_conversation_with_every_command(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = open_session(tiny_artefact(tmp_path), "float32", describe=False)
    look = session.look(clip, "They broke it.")
    said: list[str] = []
    terminal = Terminal(session, clip, look, Sampling(max_new_tokens=8), said.append)

    def after(line: str) -> str:
        said.clear()
        assert terminal.line(line)
        return "".join(said)

    assert after("Why?") and [t.role for t in terminal.turns] == ["user", "assistant"]
    assert "prosody" in after("/prompt") and "Why?" in after("/prompt")
    first = terminal.turns[-1].text
    after("/again")
    assert terminal.turns[-1].text == first and len(terminal.turns) == 2
    asked = after("/prompt")
    # What is known is told; the model neither answers nor reads it.
    assert after("What does she say?") == "“They broke it.” (given with the clip)\n"
    assert after("/again").startswith("“They broke it.”") and len(terminal.turns) == 4
    assert "beyond this model" in after("Who won the match?") and after("/prompt") == asked
    assert after("Which emotion is it?") and "beyond" not in after("/prompt")
    capsys.readouterr()
    after("/drop voice")
    assert "(from words)" in capsys.readouterr().out
    assert "words" in after("/why") and "voice" not in after("/why")
    assert "no channel is left" in after("/drop words")
    after("/use voice")
    assert "(from voice, words)" in capsys.readouterr().out
    after("/labels calm, bored")
    shown = capsys.readouterr().out
    assert "calm" in shown and "bored" in shown and "angry" not in shown
    # What is refused changes nothing.
    assert "error: " in after("/labels a,a") and terminal.labels == ["calm", "bored"]
    assert "works with the model's own labels" in after("/why")
    for line in ("/length inf", "/length nan", "/length 1.5", "/seed nan", "/seed 1e30"):
        assert "is not a whole number" in after(line)
    assert "seed must be a whole number" in after(f"/seed {10**30}")
    turns, after_all = terminal.turns, terminal.sampling
    after("/length 2048")
    assert "tokens; with an answer of 2048" in after("/again") and terminal.turns == turns
    terminal.sampling = after_all
    capsys.readouterr()
    after("/task reason")
    assert terminal.turns[-2].text == session.question("reason")
    assert "/tasc is not a command; did you mean /task?" in after("/tasc")
    for far in ("/stop", "/what", "/model"):
        assert f"{far} is not a command; /help lists the commands" in after(far)
    assert "'x' is not a number" in after("/temperature x")
    assert "temperature must be" in after("/temperature 9")
    after("/temperature 0.7")
    assert terminal.sampling.temperature == 0.7
    after("/words none")
    assert terminal.look.text is None and terminal.look.used == ("voice",)
    assert "saved in" in after(f"/save {tmp_path / 'kept.json'}")
    kept = json.loads((tmp_path / "kept.json").read_text())
    assert kept["clip"] == "voice.wav" and kept["channels"]["used"] == ["voice"]
    assert kept["turns"] == [{"role": t.role, "text": t.text} for t in terminal.turns]
    assert set(kept["answer"]["scores"]) == {"calm", "bored"} and kept["weights"] is None
    assert "cannot be written" in after(f"/save {tmp_path}/kept.json/below.json")
    assert not terminal.line("") and not terminal.line("/quit")


def test_words_stay_whole_at_the_edge_of_the_terminal() -> None:
    text = (
        "The voice is low,\n  and the face is sad: 悲しい顔です.\n\nunderstandably so, so (cut)\n"
    )
    for size in (1, 3, 7):  # of the pieces that are streamed
        said: list[str] = []
        wrapped = Wrapped(said.append, 14)
        for i in range(0, len(text), size):
            wrapped(text[i : i + size])
        lines = "".join(said).split("\n")
        assert lines == [
            "The voice is", "low,", "  and the face", "is sad:", "悲しい顔です.", "",
            "understandably", "so, so (cut)", "",
        ]  # fmt: skip
