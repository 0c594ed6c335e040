"""Progress of a fusion run, saved so that a killed run resumes as if never interrupted.

OUTPUT/
  checkpoints/checkpoint-<step>.pt   models, optimizers and `Progress`, each file written atomically
  best/epoch-<n>/                    weights of the best epoch so far
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
"""Number of checkpoints to keep."""


@dataclass
class Progress:
    """Position and history of a run.

    Attributes:
        epoch: the next epoch, from 0; `batch` is its next batch.
        loss: sum of sample losses of this epoch so far.
        learning_rate: of the first step of this epoch.
        log: by epoch (from 1): loss and learning rate.
        validation: by epoch: scores.
        best: epoch, metric, value, merit and thresholds of the best epoch.
        best_of: the same by value (valence, arousal), if each keeps its own epoch.
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
        """Epochs that are the best by any criterion."""
        return {best["epoch"] for best in (self.best, *self.best_of.values()) if best}

    def out_of_patience(self, patience: int) -> bool:
        """Whether this many epochs have passed without improvement."""
        return bool(patience and self.best and self.epoch - self.best["epoch"] >= patience)


def write_checkpoint(folder: Path, step: int, strategy: Mapping[str, Any], now: Progress) -> None:
    """Write a checkpoint and remove the oldest ones."""
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
            f"{path}: is not a valid checkpoint of a fusion run "
            f"({' '.join(str(error).split())[:200]}); training.resume=never starts from scratch"
        ) from error


def best_folder(output: Path, epoch: int) -> Path:
    """Folder of the weights of an epoch."""
    return output / "best" / f"epoch-{epoch}"


def keep_best(output: Path, models: Mapping[str, FusionModel], epoch: int) -> None:
    """Write the weights of an epoch to disk, so that later steps cannot change them."""
    with written_whole(best_folder(output, epoch)) as draft:
        weights.save_models(models, draft)


def forget_best_but(output: Path, epochs: Collection[int]) -> None:
    """Remove weights of epochs that no checkpoint needs any more."""
    kept = [best_folder(output, epoch) for epoch in epochs]
    for folder in (output / "best").glob("epoch-*"):
        if folder not in kept:
            shutil.rmtree(folder, ignore_errors=True)


def load_best(output: Path, models: Mapping[str, FusionModel], epoch: int) -> None:
    """Load the weights that `keep_best` wrote into the models."""
    folder = best_folder(output, epoch)
    for name, model in models.items():
        place = folder if name == weights.MAIN else folder / name
        weights.load_weights(model, place / weights.WEIGHTS_FILE)
