"""Each module loads under one name, and type checkers see the types of every room."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import warm

ROOT = Path(__file__).parents[1]

IMPORT_ALL = """
import importlib, runpy, sys
from collections import defaultdict
from pathlib import Path

root = Path(sys.argv[1])
for path in sorted((root / "emollama").rglob("*.py")):
    name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
    importlib.import_module(name)
for name in ("merr.__main__", "demo.__main__", "train", "eval_emotion"):
    importlib.import_module(name)
names = defaultdict(list)
for name, module in sys.modules.items():
    file = getattr(module, "__file__", None)
    if file and Path(file).resolve().is_relative_to(root) and ".venv" not in file:
        names[str(Path(file).resolve())].append(name)
print(len(names))
print({file: found for file, found in names.items() if len(found) > 1})
"""


def test_no_module_loads_under_two_names() -> None:
    done = warm.run("-c", IMPORT_ALL, ROOT, imports=["emollama.demo"])
    assert done.returncode == 0, done.stderr
    count, twice = done.stdout.splitlines()[-2:]
    assert int(count) > 300 and twice == "{}"


@pytest.mark.slow  # mypy reads the whole package first
def test_mypy_sees_the_types_of_merr_and_demo(tmp_path: Path) -> None:
    script = tmp_path / "reveal.py"
    script.write_text(
        "from emollama.demo.sweep import sweep\n"
        "from emollama.merr.stages import STAGES, get_stage\n"
        "reveal_type(get_stage)\n"
        "reveal_type(STAGES)\n"
        "reveal_type(sweep)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"),
         "--cache-dir", str(tmp_path / "cache"), "--follow-imports", "silent", str(script)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    revealed = [line for line in done.stdout.splitlines() if "Revealed type" in line]
    assert len(revealed) == 3, done.stdout
    assert "def (name: str) -> emollama.merr.stages.Stage" in revealed[0].replace("builtins.", "")
    assert "emollama.merr.stages.Stage" in revealed[1]
    assert not any("Any" in line.split("Revealed type is", 1)[1] for line in revealed)
