"""The model that ships: found in the clone or the cache, pinned, used where no model is named."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from emollama.assets import people
from emollama.base.errors import EmollamaError
from emollama.session.family import open_artefact
from tests.assets.test_folders import run

STORED = Path(__file__).parents[1] / "compat/stored"


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """An empty clone and an empty cache."""
    monkeypatch.setenv("EMOLLAMA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(people, "CLONE", tmp_path / "clone")
    monkeypatch.setattr(people, "PIN", tmp_path / "pin.txt")
    return tmp_path / "clone/models/people", tmp_path / "home/people-model"


def shipped(folder: Path) -> Path:
    """A folder like the one that ships, with artefacts of the compatibility tests."""
    shutil.copytree(STORED / "llm-run/model", folder / "llm")
    shutil.copytree(STORED / "fusion-run/model", folder / "fusion")
    (folder / "README.md").write_text("# card\n")
    people.write_sums(folder)
    people.pin(folder)
    return folder


@pytest.mark.parametrize("place", [0, 1])
def test_it_is_found_in_the_clone_and_in_the_cache(
    places: tuple[Path, Path], place: int, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shipped(places[place])
    assert people.people_folder() == folder
    assert people.shipped_model() == folder / "llm"
    assert people.shipped_model("fusion") == folder / "fusion"
    assert people.model_or_shipped(None) == folder / "llm"
    said = capsys.readouterr().err
    assert said == people.NOTICE + "\n" and "CC BY-NC-SA 4.0" in said
    assert people.model_or_shipped(folder / "fusion") == folder / "fusion"
    # Answers, reports and the server call it by a name that tells what it is.
    assert people.shipped_name(folder / "llm") == "people"
    assert open_artefact(folder / "fusion").name == "people-fusion"
    assert capsys.readouterr().err == ""


def test_the_clone_goes_before_the_cache(places: tuple[Path, Path]) -> None:
    shipped(places[1])
    clone = shipped(places[0])
    assert people.people_folder() == clone


def test_where_it_is_missing_one_line_says_where_it_is_and_its_terms(
    places: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = tmp_path / "a.mp4"
    clip.write_bytes(b"x")
    for words in (
        ["predict", str(clip)],
        ["chat", str(clip)],
        ["explain", str(clip), "--out", str(tmp_path / "out")],
        ["serve"],
        ["demo"],
        ["assets", "fetch", "people"],
    ):
        code, out, err = run(capsys, *words)
        assert (code, out) == (2, "") and err.count("\n") == 1, words
        for told in ("--model", "models/people", str(places[1]), "CC BY-NC-SA 4.0", "clone"):
            assert told in err, words


def test_a_file_that_was_changed_is_told(places: tuple[Path, Path]) -> None:
    folder = shipped(places[0])
    (folder / "README.md").write_text("# a card may be written anew\n")
    people.check_sums(folder)
    record = folder / "llm/training_record.json"
    record.write_text(record.read_text() + " ")
    with pytest.raises(EmollamaError, match=r"llm/training_record.json: is not the file that SHA"):
        people.shipped_model("fusion")
    people.write_sums(folder)
    with pytest.raises(EmollamaError, match=r"SHA256SUMS: is not that of this version"):
        people.shipped_model()
    people.pin(folder)
    record.unlink()
    with pytest.raises(EmollamaError, match=r"llm/training_record.json: is missing"):
        people.shipped_model()
    people.write_sums(folder)
    people.pin(folder)
    (folder / "fusion/more.json").touch()
    with pytest.raises(EmollamaError, match=r"fusion/more.json: is not listed"):
        people.shipped_model()
    (folder / "SHA256SUMS").write_text("nonsense\n")
    people.pin(folder)
    with pytest.raises(EmollamaError, match=r"SHA256SUMS: 'nonsense' is not a line of sha256sum"):
        people.shipped_model()


def test_the_list_of_assets_names_it(
    places: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    code, before, _ = run(capsys, "assets", "list")
    assert code == 0 and "people" in before
    shipped(places[0])
    code, out, _ = run(capsys, "assets", "fetch", "people")
    assert code == 0 and out == f"people: {places[0]}\n"


def test_the_sums_are_those_of_sha256sum(places: tuple[Path, Path]) -> None:
    folder = shipped(places[0])
    done = subprocess.run(
        ["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder, capture_output=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
