"""How far a fusion run has come, kept so that a killed run goes on as if never interrupted.

OUTPUT/
  checkpoints/checkpoint-<step>.pt   models, optimizers and `Progress`, each file whole or not there
  best/epoch-<n>/                    weights of the best epoch so far, written when it was found
"""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from emollama.base.errors import EmollamaError
from emollama.base.files import atomic_path, written_whole
from emollama.fusion import weights
from emollama.fusion.modeling import FusionModel
from emollama.runs.checkpoints import step_of

KEPT = 2
"""Checkpoints that are kept."""


@dataclass
class Progress:
    """Where a run is and what it has seen.

    Attributes:
        epoch: the next epoch to work on, from 0; `batch` the next batch of it.
        loss: sum of sample losses of this epoch so far.
        learning_rate: of the first step of this epoch.
        log: by epoch (from 1): loss and learning rate.
        validation: by epoch: scores.
        best: epoch, metric, value, merit and thresholds of the best one.
        best_of: the same by value (valence, arousal), where each keeps an epoch of its own.
    """

    epoch: int = 0
    batch: int = 0
    loss: float = 0.0
    learning_rate: float = 0.0
    log: list[dict[str, float]] = field(default_factory=list)
    validation: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Any] = field(default_factory=dict)
    best_of: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def kept(self) -> set[int]:
        """Epochs that are the best of something."""
        return {best["epoch"] for best in (self.best, *self.best_of.values()) if best}

    def out_of_patience(self, patience: int) -> bool:
        """Whether so many epochs have passed without a better one."""
        return bool(patience and self.best and self.epoch - self.best["epoch"] >= patience)


def write_checkpoint(folder: Path, step: int, strategy: Mapping[str, Any], now: Progress) -> None:
    """Write a checkpoint; the oldest beyond those kept go."""
    with atomic_path(folder / f"checkpoint-{step}.pt") as temporary:
        torch.save({"strategy": dict(strategy), "progress": asdict(now)}, temporary)
    for old in sorted(folder.glob("checkpoint-*.pt"), key=step_of)[:-KEPT]:
        old.unlink()


def read_checkpoint(path: Path, device: torch.device) -> tuple[dict[str, Any], Progress]:
    """A strategy's state and the progress of a run.

    Raises:
        EmollamaError: the file cannot be read.
    """
    try:
        values = torch.load(path, map_location=device, weights_only=True)
        return values["strategy"], Progress(**values["progress"])
    except (OSError, RuntimeError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise EmollamaError(
            f"{path}: is no checkpoint of a fusion run ({' '.join(str(error).split())[:200]}); "
            "training.resume=never starts anew"
        ) from error


def best_folder(output: Path, epoch: int) -> Path:
    """Where the weights of an epoch are kept."""
    return output / "best" / f"epoch-{epoch}"


def keep_best(output: Path, models: Mapping[str, FusionModel], epoch: int) -> None:
    """Write the weights of an epoch: a copy on disk, so that later steps cannot change them."""
    with written_whole(best_folder(output, epoch)) as draft:
        weights.save_models(models, draft)


def forget_best_but(output: Path, epochs: Collection[int]) -> None:
    """Remove the weights of other epochs, when no checkpoint needs them any more."""
    kept = [best_folder(output, epoch) for epoch in epochs]
    for folder in (output / "best").glob("epoch-*"):
        if folder not in kept:
            shutil.rmtree(folder, ignore_errors=True)


def load_best(output: Path, models: Mapping[str, FusionModel], epoch: int) -> None:
    """Fill models with the weights that `keep_best` wrote."""
    folder = best_folder(output, epoch)
    for name, model in models.items():
        place = folder if name == weights.MAIN else folder / name
        weights.load_weights(model, place / weights.WEIGHTS_FILE)
