"""The card of the model that ships is a function of committed files, at tiny size."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from benchmarks.people import card as card_module
from benchmarks.people.card import card
from benchmarks.people.results import CORPORA, predictions_file, read_answers
from emollama.base.errors import EmollamaError
from emollama.scoring.predictions.predictions import read_predictions, write_predictions
from tests.people import made


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("people")
    return made.results(folder / "results"), made.shipped(folder / "models")


@pytest.fixture(scope="module")
def page(files: tuple[Path, Path]) -> str:
    return card(*files)


def section(page: str, title: str) -> list[list[str]]:
    """The rows of a table by its title."""
    text = page.split(f"### {title}\n", 1)[1].split("\n#", 1)[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def test_it_says_uar_by_corpus_with_the_regression_beside(page: str) -> None:
    for title in ("language model", "fusion model"):
        found = section(page, f"The {title}, by corpus and language")
        assert [line[0] for line in found[::3]] == [
            "RAVDESS (English)", "EMO-DB (German)", "Java-SED (Javanese)",
        ]  # fmt: skip
        first, four, _ = found[:3]
        assert first[1:] == [
            "nobody is known", "4", "28", "0.714 [0.714, 0.714]", "0.571 [0.571, 0.571]",
            "+0.143 [+0.143, +0.143]",
        ]  # fmt: skip
        assert four[4] == "0.857 [0.857, 0.857]"
        # One person: a value, and no interval over people.
        assert found[6][1:] == ["nobody is known", "1", "7", "0.714", "0.571", "+0.143"]


def test_it_says_uar_by_sex(page: str) -> None:
    found = section(page, "The language model, by sex")
    assert [line[:4] for line in found[::3]] == [
        ["men", "nobody is known", "3", "21"], ["women", "nobody is known", "3", "21"],
    ]  # fmt: skip
    sexes = {c.name: [c.sex(person) for person in made.PEOPLE[c.name]] for c in CORPORA}
    assert sexes == {
        "ravdess": ["men", "men", "women", "women"], "emodb": ["men", "women"], "javased": [None],
    }  # fmt: skip


def test_it_says_what_each_stream_saw(page: str) -> None:
    found = section(page, "What each stream of the language model saw")
    assert [line[3:] for line in found] == [["210", "36", "3: English, German, Javanese"]] * 2
    # The fusion model was trained on the training people alone.
    assert section(page, "What each stream of the fusion model saw")[1][4] == "30"
    corpora = section(page, "Corpora")
    assert corpora[2][2:] == ["70 clips, 12 people", "70 clips, 10 people", "7 clips, 1 person"]


def test_it_says_what_enrolling_gains(page: str) -> None:
    curve = section(page, "enrolment, corpus EMO-DB")
    assert [line[0] for line in curve] == [
        "no clip", "any clips", "all, scored ones included (transductive)",
    ]  # fmt: skip
    assert curve[0][2] == "0.857 [0.857, 0.857]"
    assert "the language model | logistic regression | the fusion model" in page
    assert "No way of enrolling falls more than 0.01 below enrolling nobody." in page


def test_it_says_how_calibrated_the_probabilities_are(page: str) -> None:
    title = "Calibration, and sets of labels for 90% coverage, on people kept back"
    found = section(page, title)
    assert {line[0] for line in found} == {"fusion model"}
    assert found[0][3] == "2.00" and "→" in found[0][4]
    assert found[0][6:] == ["1.000", "7.00"]


def test_it_says_terms_use_and_what_it_was_not_trained_on(page: str) -> None:
    assert page.startswith("---\nlicense: cc-by-nc-sa-4.0\n")
    for told in (
        "not for commercial use", "## Intended use", "## What it was not trained on", "MELD",
        "actors 03, 09, 14", "SmolLM2",
    ):  # fmt: skip
        assert told in page
    assert max(len(line) for line in page.splitlines() if not line.startswith("|")) < 420


def test_it_scores_again_and_notices_a_change(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    results = made.results(tmp_path / "results")
    shipped = made.shipped(tmp_path / "models")
    assert card(results, shipped) == card(*files)
    monkeypatch.setattr(card_module, "RESULTS", results)
    monkeypatch.setattr(card_module, "SHIPPED", shipped)

    def run(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["card", *words])
        try:
            card_module.main()
        except SystemExit as left:
            return int(left.code or 0)
        return 0

    assert run("--check") == 2 and "is not the card that" in capsys.readouterr().err
    assert run() == 0 and run("--check") == 0
    path = results / predictions_file("llm", "ravdess", "none")
    found = read_predictions(path)
    worse = made.rows(CORPORA[0], "model", 5)
    write_predictions(path, found.header, worse)
    capsys.readouterr()
    assert run("--check") == 2
    assert run() == 0
    text = (shipped / "README.md").read_text()
    assert re.search(r"RAVDESS \(English\) \| nobody is known \| 4 \| 28 \| 0\.286", text)
    assert run("--chek") == 2


def test_a_file_under_a_wrong_name_is_refused(tmp_path: Path) -> None:
    results = made.results(tmp_path)
    path = results / predictions_file("llm", "ravdess", "4")
    target = results / predictions_file("llm", "ravdess", "none")
    good = target.read_bytes()
    target.write_bytes(path.read_bytes())
    with pytest.raises(EmollamaError, match=r"are known by 4 of their clips.*not 'none'"):
        read_answers(results, "llm", "none")
    target.write_bytes(good)
    path.write_bytes(good)
    with pytest.raises(EmollamaError, match="are known by no clip, not '4'"):
        read_answers(results, "llm", "4")
    target.write_bytes((results / predictions_file("llm", "emodb", "none")).read_bytes())
    with pytest.raises(EmollamaError, match="is of the corpus emodb, not ravdess"):
        read_answers(results, "llm", "none")


def test_without_predictions_there_is_no_card(tmp_path: Path) -> None:
    results = made.results(tmp_path / "results")
    for path in results.glob("*.jsonl"):
        path.unlink()
    with pytest.raises(EmollamaError, match="holds no predictions of the model that ships"):
        card(results, made.shipped(tmp_path / "models"))
