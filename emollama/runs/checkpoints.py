"""The output folder of a run: its owner, its checkpoints, and the one to resume from."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import yaml
from pydantic import BaseModel

from emollama.base.errors import EmollamaError
from emollama.base.files import read_text, sole_writer, write_text
from emollama.base.respelling import respelled

CONFIG_FILE = "config.yaml"
CHECKPOINTS = "checkpoints"
MODEL = "model"
WHOLE = "whole.json"
"""Marks a checkpoint folder as complete; a checkpoint of one file is written atomically instead."""


def newest_checkpoint(folder: Path) -> Path | None:
    """The complete checkpoint with the highest step, or None."""
    found = folder.glob("checkpoint-*")
    whole = [p for p in found if p.suffix == ".pt" or (p / WHOLE).is_file()]
    return max(whole, key=step_of, default=None)


def step_of(checkpoint: Path) -> int:
    """The step after which a checkpoint was written."""
    digits = checkpoint.stem.removeprefix("checkpoint-")
    return int(digits) if digits.isdigit() else -1


def checkpoint_to_resume(
    output: Path,
    config: BaseModel,
    resume: str,
    may_change: Sequence[tuple[str, str]],
    mark: str,
) -> Path | None:
    """The checkpoint to resume from; a folder of another run is an error.

    Args:
        output: of the run.
        config: of the run.
        resume: "auto", or "never" to start from scratch.
        may_change: (section, key) of settings that may differ from those of the checkpoint.
        mark: the file that only artefacts of such a run have.

    Raises:
        EmollamaError: other files are in the artefact's folder, or the checkpoints have another
            configuration.
    """
    model = output / MODEL
    foreign = model.exists() and not (model / mark).is_file()
    if foreign and (not model.is_dir() or any(model.iterdir())):
        raise EmollamaError(
            f"{model}: holds other files than a model of this kind; choose another output folder"
        )
    newest = newest_checkpoint(output / CHECKPOINTS)
    if resume == "never" or newest is None:
        return None
    require_same_configuration(output, config, may_change)
    return newest


def claim_output(
    output: Path,
    config: BaseModel,
    held: ExitStack,
    resumed: bool,
    resume: str,
    say: Callable[[str], None],
    leftovers: Sequence[Path] = (),
) -> None:
    """Claim the output folder for this run and write its configuration; for the first process.

    Args:
        output: of the run.
        config: of the run.
        held: releases the folder when it is closed.
        resumed: whether the run resumes from a checkpoint. If not, files of an older run are
            removed; but with `resume` "auto", incomplete checkpoints are moved aside, so that they
            can be examined.
        resume: "auto" or "never".
        say: prints lines for the user.
        leftovers: further files of such a run, besides checkpoints and best weights.

    Raises:
        EmollamaError: another run is writing there.
    """
    held.enter_context(sole_writer(output, f"{output}: another run is writing to it"))
    checkpoints = output / CHECKPOINTS
    if not resumed:
        torn = any(checkpoints.glob("*/trainer_state.json"))
        if torn and resume == "auto":
            aside = checkpoints.with_name(f"{CHECKPOINTS}-{time.strftime('%Y%m%d-%H%M%S')}")
            checkpoints.rename(aside)
            say(f"no checkpoint is complete: they were moved to {aside}; starting from scratch")
        for folder in (checkpoints, output / "best", *leftovers):
            shutil.rmtree(folder, ignore_errors=True)
    values = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
    write_text(output / CONFIG_FILE, values)


def require_same_configuration(
    output: Path, config: BaseModel, may_change: Sequence[tuple[str, str]]
) -> None:
    """Raise an error if the checkpoints have another configuration than `config`.

    Args:
        output: of the run; it holds checkpoints.
        config: of this run.
        may_change: (section, key) of settings that may differ.
    """
    path = output / CONFIG_FILE
    if not path.is_file():
        raise EmollamaError(f"{output}: holds checkpoints but no {CONFIG_FILE}")
    before, _ = respelled(getattr(config, "former_names", {}), yaml.safe_load(read_text(path)))
    now = config.model_dump(mode="json")
    for section, key in may_change:
        for values in (before, now):
            values.get(section, {}).pop(key, None)
    if before != now:
        raise EmollamaError(
            f"{output}: holds checkpoints of another configuration (see {path}); choose "
            "another output, or set training.resume=never to start from scratch"
        )
