"""What must answer at once: help, and a path that is wrong.

Limits of issue 15, on 2 quiet cores: .45 s of CPU for help, .7 s for a wrong path. A machine that
is half as fast may take as much again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from emollama.cli.app import COMMANDS
from tests.cli.cpu import ROOT, Cost, costs

SLOWER = 2.0
"""How much slower than the issue's machine this one may be."""
HELP_SECONDS, PATH_SECONDS = 0.45 * SLOWER, 0.7 * SLOWER
HEAVY = ("torch", "transformers", "sklearn", "matplotlib", "numpy", "omegaconf", "pydantic")

UNUSED = ("sklearn", "matplotlib", "peft", "bitsandbytes")
"""What a language model is opened without."""

WRONG = [
    "train {no}.yaml",
    "train quickstart data.manifest={no}.jsonl",
    "train quickstart data.manifest={file} data.store={no}",
    "train quickstart data.manifest={no}-split.jsonl data.store={here}",
    "train quickstart data.manifest={file} data.store={here} model.llm={no}",
    "plan quickstart data.manifest={file} data.store={here} model.llm={no}",
    "plan {no}.yaml",
    "plan quickstart data.manifest={no}.jsonl",
    "evaluate {no}.yaml",
    "evaluate quickstart model={no}",
    "evaluate quickstart model={model} data.manifest={no}.jsonl",
    "evaluate quickstart model={model} data.manifest={file} data.store={no}",
    "bench {no}.yaml",
    "bench --score {no}",
    "arena {no}.yaml",
    "arena --score {no}",
    "arena people data.manifest={no}.jsonl",
    "bench --score {no}thing",
    "annotate build {no}thing --out {here}/x",
    "doctor {no}.jsonl",
    "split {no}.jsonl --out {here}/x --scheme k-fold",
    "extract {no}.jsonl --store {here}/x",
    "score {no}.jsonl",
    "score {file} --compare {no}.jsonl",
    "score {file} --calibration {no}.json",
    "calibrate {no} --predictions {file}",
    "calibrate {model} --predictions {no}.jsonl",
    "splits {no}.json",
    "frames smooth --val {no}.jsonl --out {here}/x",
    "frames ensemble {no}.jsonl --out {here}/x",
    "frames submit {no}.jsonl --out {here}/x",
    "frames table {no}",
    "frames draw {no}.jsonl --video v --out {here}/x",
    "compare {no} {no} --manifest {file}",
    "compare {model} {model} --manifest {no}.jsonl",
    "compare {model} {model} --manifest {file} --store {no}",
    "compare {model} {model} --manifest {no}-split.jsonl --store {here}",
    "evaluate quickstart model={model} data.manifest={no}-split.jsonl data.store={here}",
    "enrolment quickstart model={model} data.manifest={no}-split.jsonl data.store={here}",
    "explain --manifest {no}-split.jsonl --model {model} --out {here}/x",
    "predict {no}-header.jsonl --model {model}",
    "predict {no}-film.mp4 --model {model}",
    "explain {no}-film.mp4 --model {model} --out {here}/x",
    "analyse {no}.mp4 --out {here}/x",
    "analyse {no}-film.mp4 --model {model} --out {here}/x",
    "extract {no}-header.jsonl --store {here}/x",
    "annotate build {no}-header.jsonl --out {here}/x",
    "predict {file} --model {no}",
    "predict {no}.mp4 --model {model}",
    "predict {no}.mp4",
    "chat {no}.mp4",
    "explain {no}.mp4 --out {here}/x",
    "predict {file} --model {model} --enrol {no}.mp4",
    "predict {file} --model {model} --enrol {file} --enrol {no}",
    "chat {file} --model {no}",
    "chat {no}.mp4 --model {model}",
    "chat {file} --model {model} --enrol {no}.mp4",
    "explain {file} --model {no} --out {here}/x",
    "explain {no}.mp4 --model {model} --out {here}/x",
    "explain --manifest {no}.jsonl --model {model} --out {here}/x",
    "demo --model {no}",
    "serve --model {no}",
    "export --model {no} --out {here}/x",
    "push {no} owner/name",
    "import-checkpoint {no}.pth --llm x --out {here}/x",
    "import-checkpoint {file} --llm {no} --out {here}/x",
    "import-vision {no}.pth --out {here}/x",
    "assets link hubert-base {no}",
    "annotate build {no} --out {here}/x",
    "annotate clips {no} --out {here}/x",
    "annotate build {here} --out {here}/x --cfg-path {no}.yaml",
    "annotate report --out {here}/x --truth {no}.jsonl",
    "prepare csv {no}.csv --out {here}/x",
    "prepare nce {no}.txt --out {here}/x",
    "prepare npz {no}.npz --out {here}/x",
    "prepare csd {no}.csd {file} --store {here}/x --key k --channel voice",
    "prepare ravdess {no} --out {here}/x",
    "prepare meld {no} --out {here}/x",
    "prepare mosei {no} --out {here}/x",
    "prepare aff-wild2-h5 {no} --out {here}/x",
]


HELP = ["", *(entry.name for entry in COMMANDS), "annotate build", "prepare meld", "person show"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Empty files, a folder that looks like a model as far as names go, and three manifests: one
    has a sample without a split, one begins with a sample, one is right.
    """
    here = tmp_path_factory.mktemp("light")
    header = {"version": 1, "corpus": "made", "labels": {"name": "made", "labels": ["sad"]}}
    sample = '{"id": "a"}\n'
    (here / "no-split.jsonl").write_text(json.dumps({"manifest": header}) + "\n" + sample)
    (here / "no-header.jsonl").write_text(sample)
    split = '{"id": "a", "split": "train"}\n'
    (here / "corpus.jsonl").write_text(json.dumps({"manifest": header}) + "\n" + split)
    (here / "no-film.mp4").touch()
    (here / "model").mkdir()
    (here / "model/fusion.json").touch()
    (here / "file").touch()
    (here / "nothing").mkdir()
    return here


@pytest.fixture(scope="module")
def wrong(folder: Path) -> dict[str, Cost]:
    names = {
        "no": folder / "no",
        "here": folder,
        "model": folder / "model",
        "file": folder / "file",
    }
    words = [[word.format(**names) for word in command.split()] for command in WRONG]
    return dict(zip(WRONG, costs(words, PATH_SECONDS), strict=True))


@pytest.fixture(scope="module")
def helped() -> dict[str, Cost]:
    words = [[*command.split(), "--help"] for command in HELP]
    return dict(zip(HELP, costs(words, HELP_SECONDS), strict=True))


@pytest.mark.parametrize("command", WRONG)
def test_a_wrong_path_is_told_at_once(wrong: dict[str, Cost], folder: Path, command: str) -> None:
    seconds, code, said = wrong[command]
    assert code == 2 and said.startswith("error: ") and said.count("\n") == 0
    assert f"{folder}/no" in said
    assert not (folder / "x").exists()
    assert seconds <= PATH_SECONDS


@pytest.mark.parametrize("command", HELP)
def test_help_is_shown_at_once(helped: dict[str, Cost], command: str) -> None:
    seconds, code, _ = helped[command]
    assert code == 0
    assert seconds <= HELP_SECONDS


def test_help_imports_nothing_heavy() -> None:
    names = json.dumps([entry.name for entry in COMMANDS])
    script = f"""
import json, sys
from emollama.cli.app import COMMANDS, app
import typer
group = typer.main.get_command(app)
for entry in COMMANDS:
    entry.load()
assert json.loads('{names}') == list(group.commands)
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("wrong", ["seed=x", "modl.llm=y", "training.method=grpo"])
@pytest.mark.parametrize("command", ["train", "plan"])
def test_a_wrong_setting_is_told_before_a_library_is_loaded(
    folder: Path, command: str, wrong: str
) -> None:
    script = """
import sys
from emollama.cli.app import main
try:
    main()
except SystemExit as stop:
    print(stop.code, [n for n in ("torch", "transformers", "sklearn") if n in sys.modules])
"""
    corpus = [f"data.manifest={folder / 'corpus.jsonl'}", f"data.store={folder}"]
    done = subprocess.run(
        [sys.executable, "-c", script, command, "quickstart", *corpus, wrong],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert wrong.partition(".")[0].partition("=")[0] in done.stderr, done.stderr
    assert done.stderr.startswith("error: ") and done.stdout == "2 []\n", done.stdout


def test_a_language_model_is_opened_without_what_only_others_need() -> None:
    script = f"""
import sys
from pathlib import Path
from emollama.base.quiet import quiet_libraries
quiet_libraries()
from emollama.session import open_session
session = open_session(Path("llm-run/model"), "float32", describe=False)
print(session.kind)
print(sorted(name for name in sys.modules
             if name in {UNUSED!r} or name.startswith("emollama.fusion")))
"""
    stored = ROOT / "tests/compat/stored"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=stored, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["llm", "[]"]
