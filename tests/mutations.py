"""Which test notices when a line of the package is broken?

    python -m tests.mutations tests/mutations.json                each in its mirrored tests
    python -m tests.mutations tests/mutations.json --tests tests  each in the whole fast set
    python -m tests.mutations tests/mutations.json --only Shapley packing -- -n 2

Every break is made alone, in a copy of the committed and changed files of this repository. A line
a break is printed: the first test that failed, or SURVIVED. The exit code is 1 where one survived.

The file is a list of objects: `name`, `file`, `before` (text that stands in the file once),
`after`, and `tests`, the selection that should notice it first.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def copy(root: Path, folder: Path) -> None:
    """The files of a repository that git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root, capture_output=True, check=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (root / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, folder / name)


def broken(folder: Path, change: dict[str, Any]) -> tuple[Path, str]:
    """Break the line; the file and what it held.

    Raises:
        ValueError: the text does not stand in the file exactly once.
    """
    path = folder / change["file"]
    whole = path.read_text(encoding="utf-8")
    if whole.count(change["before"]) != 1:
        raise ValueError(f"{change['name']}: its text stands {whole.count(change['before'])} times")
    path.write_text(whole.replace(change["before"], change["after"]), encoding="utf-8")
    return path, whole


def first_failure(folder: Path, tests: list[str], more: list[str]) -> str | None:
    """The test that fails first, or what else went wrong; None where all pass."""
    there = [test for test in tests if (folder / test).exists()]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-rfE", "-m", "not slow", *there, *more]
    environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return None
    found = re.search(r"^(?:FAILED|ERROR) (.*?)(?: - |$)", done.stdout, re.MULTILINE)
    return found[1] if found else f"pytest ended with {done.returncode}: {done.stdout[-300:]}"


def main() -> None:
    """Run the breaks of a file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("file", type=Path)
    parser.add_argument("--only", nargs="+", default=[], help="words of the names to run")
    parser.add_argument("--tests", nargs="+", help="in place of each break's own selection")
    parser.add_argument("--root", type=Path, default=ROOT, help="repository to break")
    own, more = sys.argv[1:], []
    if "--" in own:
        own, more = own[: own.index("--")], own[own.index("--") + 1 :]
    arguments = parser.parse_args(own)
    survived = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy(arguments.root, folder)
        for change in json.loads(arguments.file.read_text(encoding="utf-8")):
            if arguments.only and not any(word in change["name"] for word in arguments.only):
                continue
            path, whole = broken(folder, change)
            started = time.monotonic()
            caught = first_failure(folder, arguments.tests or change["tests"], more)
            path.write_text(whole, encoding="utf-8")
            survived += caught is None
            seconds = time.monotonic() - started
            print(f"{change['name']}: {caught or 'SURVIVED'} ({seconds:.0f} s)", flush=True)
    sys.exit(1 if survived else 0)


if __name__ == "__main__":
    main()
