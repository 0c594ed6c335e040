"""Every entry point starts from nothing, with no import done for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import torchrun

ROOT = Path(__file__).parents[2]
STARTS = {
    "train.py": (sys.executable, "train.py"),
    "eval_emotion.py": (sys.executable, "eval_emotion.py"),
    "emollama": (sys.executable, "-m", "emollama"),
    "demo": (sys.executable, "-m", "demo"),
    "merr": (sys.executable, "-m", "merr"),
    "torchrun": (*torchrun(1), "eval_emotion.py"),
}


@pytest.mark.parametrize("name", STARTS)
def test_help_of_every_entry_point(name: str) -> None:
    done = subprocess.run(
        [*STARTS[name], "--help"], cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout.lower() and "--help" in done.stdout
