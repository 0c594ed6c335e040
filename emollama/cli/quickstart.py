"""The whole way with the embedded default, each stage the command that a user would type.

Every stage is a process of its own, timed from outside, so that the table at the end says what the
command really costs: seconds, and the largest resident memory of any one of its processes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from emollama.base.errors import EmollamaError
from emollama.base.files import read_json, write_json
from emollama.manifest.sample import read_manifest

CLIPS, SEED = 600, 7
CORPUS = Path("runs/probe")
FEATURES = Path("runs/probe-features")
RUN = Path("runs/quickstart")


@dataclass(frozen=True)
class Stage:
    """One command, and what it is for."""

    name: str
    command: tuple[str, ...]


def stages(options: Sequence[str]) -> list[Stage]:
    """The commands in order; `options` are overrides for train.py."""
    emollama = (sys.executable, "-m", "emollama")
    manifest = str(CORPUS / "manifest.jsonl")
    overrides = ("--options", *options) if options else ()
    return [
        Stage("assets", (*emollama, "assets", "fetch")),
        Stage(
            "probe corpus",
            (*emollama, "synth", "--out", str(CORPUS), "--clips", str(CLIPS), "--seed", str(SEED),
             "--sheet", str(CORPUS / "faces.png")),
        ),
        Stage("features", (*emollama, "extract", manifest, "--store", str(FEATURES), "--strict")),
        Stage(
            "tuning",
            (sys.executable, "train.py", "--cfg-path", "train_configs/quickstart.yaml", *overrides),
        ),
        Stage(
            "evaluation",
            (sys.executable, "eval_emotion.py", "--cfg-path", "eval_configs/quickstart.yaml"),
        ),
    ]  # fmt: skip


def quickstart(options: Sequence[str] = ()) -> None:
    """Run all stages from the project's folder; print what each cost, then explain one clip.

    Raises:
        EmollamaError: when it is not started in the project's folder, or a stage fails.
    """
    if not Path("train_configs/quickstart.yaml").is_file():
        raise EmollamaError("train_configs/quickstart.yaml is not here; start in the project")
    rows = [(s.name, *_timed(s)) for s in stages(options)]
    rows.append(("one clip explained", *_timed(_explain())))
    total = sum(seconds for _, seconds, _ in rows)
    table = Table("stage", "seconds", "peak MB", title="make quickstart")
    for name, seconds, megabytes in rows:
        table.add_row(name, f"{seconds:.0f}", _whole(megabytes))
    peak = max((m for _, _, m in rows if m is not None), default=None)
    table.add_row("all", f"{total:.0f}", _whole(peak))
    console = Console()
    console.print(table)
    write_json(
        RUN / "stages.json",
        [
            {"stage": n, "seconds": round(s, 1), "peak_mb": None if m is None else round(m)}
            for n, s, m in rows
        ],
    )
    report = read_json(RUN / "eval" / "report.json")
    for finding in report.get("findings", []):
        console.print(f"- {finding}", markup=False, highlight=False)
    console.print(f"report and pictures: {RUN / 'eval'}; model: {RUN / 'model'}", highlight=False)


def _explain() -> Stage:
    """A held-out clip whose channels agree, so that a reader can check the reason by eye."""
    clear = [
        s
        for s in read_manifest(CORPUS / "manifest.jsonl").split("test")
        if len({s.truth["voice"], s.truth["face"], s.truth["words"]}) == 1
        and s.targets.emotion != "neutral"
    ]
    chosen = clear[0]
    shown = {k: chosen.truth[k] for k in ("face_units", "prosody")}
    print(f"rendered in {chosen.id}: {json.dumps(shown)}", flush=True)
    return Stage(
        "one clip explained",
        (sys.executable, "-m", "emollama", "predict", str(CORPUS / str(chosen.video)),
         "--model", str(RUN / "model"), "--text", str(chosen.text)),
    )  # fmt: skip


def _timed(stage: Stage) -> tuple[float, float | None]:
    """Seconds and peak megabytes of a stage, None where the system does not tell them.

    A stage that fails ends the quickstart.
    """
    print(f"== {stage.name}: {_readable(stage.command)}", flush=True)
    started = time.monotonic()
    process = subprocess.Popen(stage.command)
    try:
        megabytes = _ended(process)
    except BaseException:
        process.terminate()
        raise
    if process.returncode != 0:
        raise EmollamaError(f"stage '{stage.name}' failed with exit code {process.returncode}")
    return time.monotonic() - started, megabytes


def _ended(process: subprocess.Popen[bytes]) -> float | None:
    """Wait for a process; its peak megabytes, or None where the system does not tell."""
    if not hasattr(os, "wait4"):  # on Windows
        process.wait()
        return None
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    units = 1 << 20 if sys.platform == "darwin" else 1 << 10  # bytes there, KiB elsewhere
    return float(usage.ru_maxrss) / units


def _whole(megabytes: float | None) -> str:
    return "–" if megabytes is None else f"{megabytes:.0f}"


def _readable(command: Sequence[str]) -> str:
    return " ".join("python" if part == sys.executable else part for part in command)
