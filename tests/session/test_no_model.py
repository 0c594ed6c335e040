"""Commands about a clip without `--model`: the model that ships answers, and says so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from emollama.assets import people
from emollama.cli.app import app
from tests.features.made import voice
from tests.session.made import tiny_artefact


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with a tiny language model in the place of the one that ships."""
    folder = tmp_path_factory.mktemp("clone")
    model = tiny_artefact(tmp_path_factory.mktemp("tiny"))
    place = folder / people.IN_CLONE
    shutil.copytree(model, place / people.LANGUAGE_MODEL)
    people.write_sums(place)
    voice(folder / "voice.wav", 180, 1.5)
    return folder


@pytest.fixture(autouse=True)
def in_clone(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "CLONE", clone)
    monkeypatch.setattr(people, "PIN", clone / "pin.txt")
    people.pin(clone / people.IN_CLONE)


def test_predict_answers_with_the_model_that_ships(clone: Path) -> None:
    words = ["predict", str(clone / "voice.wav"), "--text", "", "--no-explain"]
    told = CliRunner().invoke(app, [*words, "--json"])
    assert told.exit_code == 0, told.output
    assert told.stderr.splitlines().count(people.NOTICE) == 1
    named = ["--model", str(clone / people.IN_CLONE / "llm")]
    asked = CliRunner().invoke(app, [*words, "--json", *named])
    assert people.NOTICE not in asked.stderr
    assert json.loads(told.stdout)["scores"] == json.loads(asked.stdout)["scores"]


def test_chat_does_too(clone: Path) -> None:
    words = ["chat", str(clone / "voice.wav"), "--text", ""]
    told = CliRunner().invoke(app, words, input="/quit\n")
    assert told.exit_code == 0, told.output
    assert told.stderr.splitlines().count(people.NOTICE) == 1


def test_explain_does_too(clone: Path, tmp_path: Path) -> None:
    words = ["explain", str(clone / "voice.wav"), "--text", "", "--out", str(tmp_path)]
    told = CliRunner().invoke(app, words)
    assert told.exit_code == 0, told.output
    assert told.stderr.splitlines().count(people.NOTICE) == 1
    assert (tmp_path / "voice.html").is_file()
