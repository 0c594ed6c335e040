"""Quickstart's stages beside one busy process, against a quiet machine.

python -m benchmarks.busy_machine [--short] [--spin] [--folder runs/busy]

On two cores, a stage beside one process that never rests has three quarters of the time left, if
its threads share it. Threads that spin while they wait for each other burn what the other thread
needs: `--spin` measures that too, with the policy that the libraries have by default. The goal is a
ratio of at most 2.2. Load of others makes both times worse: read the load that is printed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import show
from emollama.base.errors import EmollamaError, one_line_errors
from emollama.cli.quickstart import CLIPS, Stage, stages

SHORT_CLIPS = 30
SHORT = ("training.max_steps=6", "training.save_every_steps=6")
SHORT_EVALUATION = ("reasons.count=2", "bootstrap=100", "modality_report=none")
GOAL = 2.2
BUSY = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"  # ends with us
SPINNING = {"OMP_WAIT_POLICY": "ACTIVE", "KMP_BLOCKTIME": "200"}


@one_line_errors
def main() -> None:
    """Run all stages under each condition and print a row a stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="30 clips, 6 training steps")
    parser.add_argument("--spin", action="store_true", help="also measure threads that spin")
    parser.add_argument("--folder", type=Path, default=Path("runs/busy"))
    parser.add_argument("--repeats", type=int, default=1)
    arguments = parser.parse_args()
    ways: dict[str, tuple[bool, dict[str, str]]] = {"quiet": (False, {}), "busy": (True, {})}
    if arguments.spin:
        ways |= {"quiet, spinning": (False, SPINNING), "busy, spinning": (True, SPINNING)}
    taken: dict[str, list[list[tuple[float, float]]]] = {way: [] for way in ways}
    planned = _stages(arguments.short)
    load = [round(os.getloadavg()[0], 2)] if hasattr(os, "getloadavg") else []
    for repeat in range(arguments.repeats):
        for way, (beside, settings) in ways.items():
            place = arguments.folder / f"{way.replace(', ', '-')}-{repeat}"
            taken[way].append(_all(planned, place, beside, os.environ | settings))
            if load:
                load.append(round(os.getloadavg()[0], 2))
    rows = [_row(s.name, i, taken) for i, s in enumerate(planned)]
    rows.append(_row("all", None, taken))
    show("quickstart beside a busy process", rows, goal=GOAL, load=load, short=arguments.short)


def _stages(short: bool) -> list[Stage]:
    """Those of quickstart but the fetching, smaller where asked for."""
    planned = stages(SHORT if short else (), SHORT_CLIPS if short else CLIPS)[1:]
    if short:
        planned[-1] = Stage(planned[-1].name, (*planned[-1].command, *SHORT_EVALUATION))
    return planned


def _all(
    planned: Sequence[Stage], place: Path, beside: bool, environment: dict[str, str]
) -> list[tuple[float, float]]:
    """Seconds and processor seconds of each stage."""
    if place.exists():
        raise EmollamaError(f"{place}: is there already; remove it, or choose another --folder")
    place.mkdir(parents=True)
    code = str(Path(__file__).resolve().parents[1])
    environment |= {"PYTHONPATH": os.pathsep.join([code, *_given("PYTHONPATH")])}
    busy = subprocess.Popen([sys.executable, "-c", BUSY]) if beside else None
    try:
        return [_timed(stage, place, environment) for stage in planned]
    finally:
        if busy is not None:
            busy.kill()
            busy.wait()


def _given(name: str) -> list[str]:
    return [os.environ[name]] if os.environ.get(name) else []


def _timed(stage: Stage, place: Path, environment: dict[str, str]) -> tuple[float, float]:
    with (place / f"{stage.name}.log").open("w") as log:
        began, before = time.monotonic(), os.times()
        process = subprocess.run(
            stage.command, cwd=place, env=environment, stdout=log, stderr=log, check=False
        )
        seconds, after = time.monotonic() - began, os.times()
    if process.returncode != 0:
        raise EmollamaError(f"{log.name}: stage '{stage.name}' failed")
    used = after.children_user + after.children_system
    return seconds, used - before.children_user - before.children_system


def _row(
    name: str, stage: int | None, taken: dict[str, list[list[tuple[float, float]]]]
) -> dict[str, Any]:
    """Medians over the repeats, and the ratio of busy to quiet."""
    row: dict[str, Any] = {"stage": name}
    walls: dict[str, float] = {}
    for way, repeats in taken.items():
        chosen = [r if stage is None else [r[stage]] for r in repeats]
        walls[way] = statistics.median(sum(s for s, _ in r) for r in chosen)
        row[f"{way}, s"] = round(walls[way], 1)
        row[f"{way}, CPU s"] = round(statistics.median(sum(c for _, c in r) for r in chosen), 1)
    row["busy / quiet"] = round(walls["busy"] / walls["quiet"], 2)
    if "busy, spinning" in walls:
        row["the same, spinning"] = round(walls["busy, spinning"] / walls["quiet, spinning"], 2)
    return row


if __name__ == "__main__":
    main()
