"""Instruction pools of our own wording, one text file a task."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.manifest.labels import LabelSet

TASKS = ("emotion", "reason", "describe")


@cache
def instruction_pool(task: str) -> tuple[str, ...]:
    """The instructions of a task, most plain first; the first one is asked at evaluation."""
    if task not in TASKS:
        raise EmollamaError(f"task '{task}' is unknown{did_you_mean(task, TASKS)}")
    text = files(__package__).joinpath(f"{task}.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if line.strip())


def instruction(task: str, labels: LabelSet, choice: int = 0) -> str:
    """One instruction with the label set's words filled in."""
    pool = instruction_pool(task)
    return pool[choice % len(pool)].replace("{labels}", ", ".join(labels.labels))
