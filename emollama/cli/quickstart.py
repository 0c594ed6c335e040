"""`emollama quickstart`: the whole pipeline, run by the commands a user would type.

Every stage is a process of its own, timed from outside, so that the table at the end shows what the
command really costs: seconds, and the largest resident memory of any one of its processes.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from emollama.base.errors import EmollamaError
from emollama.cli.grammar import OldOptions

EMOLLAMA = (sys.executable, "-m", "emollama")
CLIPS, SEED = 600, 7
CORPUS = Path("runs/probe")
FEATURES = Path("runs/probe-features")
RUN = Path("runs/quickstart")


@dataclass(frozen=True)
class Stage:
    """One command, and its name in the table."""

    name: str
    command: tuple[str, ...]


def quickstart(
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="Values that replace those of 'train'."),
    ] = None,
    clips: Annotated[int, typer.Option(help="Clips of the corpus.", min=30)] = CLIPS,
    options: OldOptions = None,
) -> None:
    """Make a corpus, extract features, train, evaluate and explain one clip.

    All results are written below ./runs.
    """
    run([*(options or []), *(overrides or [])], clips)


def stages(overrides: Sequence[str], clips: int = CLIPS) -> list[Stage]:
    """The stages in order; `overrides` are those of training."""
    manifest = str(CORPUS / "manifest.jsonl")
    return [
        Stage("assets", (*EMOLLAMA, "assets", "fetch")),
        Stage(
            "probe corpus",
            (*EMOLLAMA, "synth", "--out", str(CORPUS), "--clips", str(clips), "--seed", str(SEED),
             "--sheet", str(CORPUS / "faces.png")),
        ),
        Stage("features", (*EMOLLAMA, "extract", manifest, "--store", str(FEATURES), "--strict")),
        Stage("tuning", (*EMOLLAMA, "train", "quickstart", *overrides)),
        Stage("evaluation", (*EMOLLAMA, "evaluate", "quickstart")),
    ]  # fmt: skip


def run(overrides: Sequence[str] = (), clips: int = CLIPS) -> None:
    """Run all stages in the current folder; print what each cost, then explain one clip.

    Raises:
        EmollamaError: a stage fails.
    """
    from rich.console import Console
    from rich.table import Table

    from emollama.base.files import read_json, write_json

    rows = [(s.name, *_timed(s)) for s in stages(overrides, clips)]
    rows.append(("one clip explained", *_timed(_explain())))
    total = sum(seconds for _, seconds, _ in rows)
    table = Table("stage", "seconds", "peak MB", title="emollama quickstart")
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
    from emollama.manifest.sample import read_manifest

    held_out = read_manifest(CORPUS / "manifest.jsonl").split("test")
    clear = [
        s
        for s in held_out
        if len({s.truth["voice"], s.truth["face"], s.truth["words"]}) == 1
        and s.targets.emotion != "neutral"
    ]
    chosen = (clear or held_out)[0]
    shown = {k: chosen.truth[k] for k in ("face_units", "prosody")}
    print(f"rendered in {chosen.id}: {json.dumps(shown)}", flush=True)
    return Stage(
        "one clip explained",
        (*EMOLLAMA, "predict", str(CORPUS / str(chosen.video)), "--model", str(RUN / "model"),
         "--text", str(chosen.text)),
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
    if tuple(command[:3]) == EMOLLAMA:
        command = ("emollama", *command[3:])
    return shlex.join(command)
