"""`emollama COMMAND CONFIG a.b=c`, and the spellings that came before it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from emollama import __version__
from emollama.base.errors import EmollamaError
from emollama.cli import app as cli
from emollama.cli import evaluate, scripts, train
from emollama.cli.grammar import configuration

ROOT = Path(__file__).parents[2]
QUICKSTART = ROOT / "train_configs/quickstart.yaml"


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[Any, ...]]:
    """What the functions that train and evaluate are given, from a folder that is not ours."""
    found: list[tuple[Any, ...]] = []
    for module, name in (
        (train, "run_training"), (evaluate, "run_evaluation"),
        (scripts, "run_training"), (scripts, "run_evaluation"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, lambda *given: found.append(given))
    monkeypatch.chdir(tmp_path)
    return found


def run(main: Any, *words: object) -> int:
    before, sys.argv = sys.argv, ["emollama", *map(str, words)]
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        sys.argv = before
    return 0


@pytest.mark.parametrize(
    "words",
    [
        ("train", "quickstart", "a.b=c", "d=e"),
        ("train", "quickstart.yaml", "a.b=c", "d=e"),
        ("train", QUICKSTART, "a.b=c", "d=e"),
        ("train", "--cfg-path", QUICKSTART, "--options", "a.b=c", "d=e"),
        ("train", "--options", "a.b=c", "d=e", "--cfg-path", "quickstart"),
        ("train", "--options", "a.b=c", "--cfg-path", "quickstart", "d=e"),
        ("train", "--options", "a.b=c", "--options", "d=e", "--cfg-path", "quickstart"),
    ],
)
def test_train(
    called: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str], words: tuple[object, ...]
) -> None:
    assert run(cli.main, *words) == 0
    assert called == [(QUICKSTART, ["a.b=c", "d=e"])]
    said = capsys.readouterr().err
    if "--cfg-path" not in words:
        assert said == ""
    else:
        given = words[words.index("--cfg-path") + 1]
        assert said == (
            "note: --cfg-path and --options are the old spelling of: "
            f"emollama train {given} a.b=c d=e\n"
        )


def test_evaluate(called: list[tuple[Any, ...]]) -> None:
    path = ROOT / "eval_configs/quickstart.yaml"
    words = ("evaluate", "quickstart", "a.b=c", "--dataset", "D", "--n-samples", "5", "d=e")
    assert run(cli.main, *words) == 0
    assert called == [(path, ["a.b=c", "d=e"], "D", 5, None, False)]


def test_the_scripts_take_what_the_public_system_takes(
    called: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(scripts.train_main, "--cfg-path", QUICKSTART, "--options", "a.b=c", "d=e") == 0
    preset = "eval_configs/eval_emotion.yaml"
    assert run(scripts.evaluate_main, "--cfg-path", preset, "--dataset", "D") == 0
    assert called == [(QUICKSTART, ["a.b=c", "d=e"]), (ROOT / preset, [], "D", None)]
    assert capsys.readouterr().err == ""


def test_a_configuration_that_is_missing_or_named_twice() -> None:
    with pytest.raises(EmollamaError, match=r"CONFIG is missing: emollama train CONFIG"):
        configuration("train", "train", None, None, None, None)
    with pytest.raises(EmollamaError, match=r"given twice: a\.yaml, and --cfg-path b\.yaml"):
        configuration("train", "train", "a.yaml", None, "b.yaml", None)


def test_an_unknown_preset_is_one_line(
    called: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("train", "evaluate", "plan"):
        assert run(cli.main, command, "quikstart") == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and "nearest names: quickstart" in said
    assert run(cli.main, "bench", "prob") == 2
    assert "nearest names: probe" in capsys.readouterr().err


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(cli.main, "--version") == 0
    assert capsys.readouterr().out == f"emollama {__version__}\n"


def test_export_says_that_it_merges_in_any_case(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ("export", "--model", tmp_path / "no", "--out", tmp_path / "x", "--merge")
    assert run(cli.main, *words) == 2
    assert "note: --merge has no effect: export always merges\n" in capsys.readouterr().err
    assert run(cli.main, "export", "--help") == 0
    assert "--merge" not in capsys.readouterr().out


def test_commands_are_listed_in_the_order_of_the_work(capsys: pytest.CaptureFixture[str]) -> None:
    run(cli.main, "--help")
    listed = re.findall(r"^│ ([a-z][a-z-]+) ", capsys.readouterr().out, re.MULTILINE)
    assert listed == [entry.name for entry in cli.COMMANDS]
    order = ["quickstart", "prepare", "extract", "train", "evaluate", "score", "predict", "demo"]
    assert [name for name in listed if name in order] == order


@pytest.mark.parametrize("entry", cli.COMMANDS, ids=lambda e: e.name)
def test_a_command_is_described_in_the_list_as_in_its_own_help(entry: Any) -> None:
    assert str(entry.load().help).split("\n\n")[0].replace("\n", " ") == entry.help


@pytest.mark.parametrize("command", ["demo", "extract", "serve", "synth", "split", "explain"])
def test_defaults_are_shown(capsys: pytest.CaptureFixture[str], command: str) -> None:
    run(cli.main, command, "--help")
    assert "[default: " in capsys.readouterr().out
