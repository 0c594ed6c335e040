"""CPU time of commands, each as in a process of its own.

One process imports what every command imports and forks for each, so that sixty commands cost
seconds; what it used itself until then is counted with each.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
TRIES = 3  # of which the least counts: a neighbour makes caches cold, not code slower


class Cost(NamedTuple):
    """User and system seconds of a command, its exit code, and what it said on stderr."""

    seconds: float
    code: int
    said: str


def costs(commands: list[list[str]], limit: float) -> list[Cost]:
    """The cost of each command; one that takes longer than `limit` is tried again."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.cli.cpu", json.dumps([commands, limit])],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [Cost(*row) for row in json.loads(done.stdout)]


def _once(words: list[str]) -> Cost:
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        child = os.fork()
        if child == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            sys.argv = ["emollama", *words]
            code = 1
            try:
                from emollama.cli.app import main

                main()
            except SystemExit as stop:
                code = stop.code if isinstance(stop.code, int) else 1
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        _, status, used = os.wait4(child, 0)
        err.seek(0)
        return Cost(
            used.ru_utime + used.ru_stime, os.waitstatus_to_exitcode(status), err.read().strip()
        )


def _measure() -> None:
    commands, limit = json.loads(sys.argv[1])
    import emollama.cli.app  # noqa: F401

    own = resource.getrusage(resource.RUSAGE_SELF)
    before = own.ru_utime + own.ru_stime
    found = []
    for words in commands:
        best = _once(words)
        for _ in range(TRIES - 1):
            if best.seconds + before > limit:
                best = min(best, _once(words))
        found.append(Cost(best.seconds + before, best.code, best.said))
    print(json.dumps(found))


if __name__ == "__main__":
    _measure()
