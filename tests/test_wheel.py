"""The wheel as a product: built, installed into a bare environment, used in an empty folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from emollama import __version__

ROOT = Path(__file__).parents[1]
SOURCES = (
    "emollama", "train_configs", "eval_configs", "models", "pyproject.toml", "setup.py",
    "MANIFEST.in", "README.md", "LICENSE", "NOTICE",
)  # fmt: skip
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")

pytestmark = pytest.mark.slow


def call(*words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    return subprocess.run(
        list(map(str, words)), cwd=folder, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: a build leaves folders in its sources."""
    folder = tmp_path_factory.mktemp("wheel")
    (folder / "source").mkdir()
    for name in SOURCES:
        path = ROOT / name
        if path.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(path, folder / "source" / name, ignore=ignored)
        else:
            shutil.copy(path, folder / "source")
    built = call(
        *PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder,
        folder / "source", folder=folder,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`emollama` of an environment that holds the wheel, and reads its dependencies from ours."""
    folder = tmp_path_factory.mktemp("bare") / "environment"
    venv.create(folder, with_pip=False)
    python = folder / "bin/python"
    command = ("--python", python, "install", "--no-deps", "--no-index", wheel)
    done = call(*PIP, *command, folder=folder)
    assert done.returncode == 0, done.stderr
    (site,) = folder.glob("lib/python*/site-packages")
    assert {path.name for path in site.iterdir()} == {
        "emollama", f"emollama-{__version__}.dist-info"
    }  # fmt: skip
    # A folder that a .pth file names has its own .pth files left alone: no editable install.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    done = call(python, "-c", "import emollama; print(emollama.__file__)", folder=folder)
    assert Path(done.stdout.strip()).is_relative_to(site), done.stderr
    return folder / "bin/emollama"


def test_the_wheel_holds_the_package_with_its_data_and_the_presets(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
        (top_level,) = (n for n in inside if n.endswith("dist-info/top_level.txt"))
        assert archive.read(top_level).decode().split() == ["emollama"]
    expected = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "emollama").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    for name in ("train_configs", "eval_configs"):
        expected |= {
            f"emollama/presets/{path.relative_to(ROOT)}"
            for path in (ROOT / name).rglob("*")
            if path.is_file()
        }
    assert {n for n in inside if n.startswith("emollama/")} == expected
    assert {n.split("/")[0] for n in inside} == {"emollama", f"emollama-{__version__}.dist-info"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--version"], f"emollama {__version__}"),
        (["--help"], "quickstart"),
        (["demo", "--help"], "--model"),
        (["annotate", "--help"], "build"),
        (["annotate", "build", "--help"], "--out"),
        (["train", "--help"], "CONFIG"),
    ],
)
def test_help(program: Path, tmp_path: Path, words: list[str], expected: str) -> None:
    done = call(program, *words, folder=tmp_path)
    assert done.returncode == 0 and expected in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "quickstart"], "runs/probe/manifest.jsonl: cannot be read"),
        (["train", "train_configs/quickstart.yaml"], "runs/probe/manifest.jsonl: cannot be read"),
        (["evaluate", "quickstart"], "runs/quickstart/model: is not a folder"),
        (["train", "quikstart"], "nearest names: quickstart, quickstart-dpo"),
        (["demo"], "name a model with --model: the one that ships is not here"),
    ],
)
def test_presets_by_name(program: Path, tmp_path: Path, words: list[str], expected: str) -> None:
    done = call(program, *words, folder=tmp_path)
    assert done.returncode == 2 and expected in done.stderr
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


def test_benches_and_deepspeed_files_are_found(program: Path, tmp_path: Path) -> None:
    script = """
from emollama.base.presets import find_preset, preset_names
from emollama.bench.plan import load_bench
for name in preset_names("bench"):
    load_bench(find_preset("bench", name), [])
from pathlib import Path
from emollama.base.config import load_config
from emollama.llm.training.arguments import zero_stage
from emollama.llm.training.config import TrainConfig
for given in ("zero2", "train_configs/deepspeed/zero2.json"):
    config = load_config(TrainConfig, find_preset("train", "quickstart"),
                         [f"training.deepspeed={given}"])
    assert zero_stage(config) == 2
print(len(preset_names("bench")))
"""
    done = call(program.with_name("python"), "-c", script, folder=tmp_path)
    assert done.returncode == 0 and int(done.stdout) >= 5, done.stderr


@pytest.mark.timeout(3000)
def test_quickstart_at_a_small_size(program: Path, tmp_path: Path) -> None:
    words = ("quickstart", "--clips", 60, "training.max_steps=2")
    done = call(program, *words, folder=tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]
    run = tmp_path / "runs/quickstart"
    assert (run / "eval/report.json").is_file() and (run / "model/processor.json").is_file()
    assert "emollama quickstart" in done.stdout and "measured in the" in done.stdout
