"""`Strategy`: the interface between the training loop and the ways to update a fusion model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from emollama.base.config import Strict
from emollama.base.errors import EmollamaError
from emollama.fusion.batch import FusionBatch
from emollama.fusion.configuration import FusionTask
from emollama.fusion.modeling import FusionModel, FusionOutput
from emollama.fusion.trainable import TrainableEncoder
from emollama.fusion.training.optimising import Optimiser, OptimizerSection
from emollama.fusion.weights import MAIN

__all__ = ["MAIN", "Plan", "Strategy", "set_modes"]


@dataclass(frozen=True)
class Plan:
    """Length of a run and settings of its updates.

    Attributes:
        settings: rates, schedule, clipping.
        epochs: of the whole run.
        batches: per epoch; the same on every process.
        another: creates a further model like the first, with changed options of the system if
            given; its initial weights are a function of the seed and the name, its standardisers
            and pretrained encoders those of the first.
        seed: of the run.
    """

    settings: OptimizerSection
    epochs: int
    batches: int
    another: Callable[[str, Mapping[str, Any]], FusionModel]
    seed: int = 0


class Strategy:
    """Owns the models of a run, their optimizers and every step.

    A strategy uses only a model's forward pass (`only` selects modalities), `encode` and `fuse`
    separately, and `parameters_of`. Skipped modules do not run, get no gradient and are in
    evaluation mode, so that weights, statistics and momentum do not change.

    A subclass sets `optimisers` and implements `step`; if trained models do not simply answer with
    the first one's forward pass, it also implements `answered`.

    Args:
        model: on its device.
        options: an instance of `options_class`.
        plan: of the run.
    """

    options_class: ClassVar[type[Strict]] = Strict

    def __init__(self, model: FusionModel, options: Any, plan: Plan) -> None:
        self.check_system(type(model), model.config.options)
        self.models: dict[str, FusionModel] = {MAIN: model}
        self.options = options
        self.plan = plan
        self.optimisers: dict[str, Optimiser] = {}

    @property
    def model(self) -> FusionModel:
        """The first model."""
        return self.models[MAIN]

    @classmethod
    def epochs(cls, options: Any, asked: int | None) -> int:
        """Epochs of the run, given the configured `asked`.

        Raises:
            EmollamaError: no epochs are configured.
        """
        del options
        if asked is None:
            raise EmollamaError("key 'training.epochs' is missing")
        return asked

    @classmethod
    def check(cls, options: Any, modalities: Sequence[str], task: FusionTask) -> None:
        """Check the options against modalities and task, without reading data.

        Raises:
            EmollamaError: they do not.
        """

    @classmethod
    def check_system(cls, system: type[FusionModel], options: Mapping[str, Any]) -> None:
        """Check that a system with these options can be trained in this way, without reading data.

        Raises:
            EmollamaError: it cannot.
        """

    def begin_epoch(self, epoch: int) -> None:
        """Called before the first step of an epoch (from 0), on a resumed run too."""

    def step(self, batch: FusionBatch, share: float = 1.0) -> Tensor:
        """Learn from a batch; returns its detached loss.

        `share` is the part of the step's loss that is this process's: gradients are of
        `share * loss`, and `Optimiser.step` adds those of all processes.
        """
        raise NotImplementedError

    def end_epoch(self, epoch: int, score: float | None) -> None:
        """Called after an epoch with its validation score (higher is better), if any."""

    def answer(self, batch: FusionBatch) -> FusionOutput:
        """The current answer of the run's models."""
        return self.answered(self.models, batch, self.options)

    @classmethod
    def answered(
        cls, models: Mapping[str, FusionModel], batch: FusionBatch, options: Any
    ) -> FusionOutput:
        """The answer of trained models; the only method that evaluation needs."""
        del options
        output: FusionOutput = models[MAIN](batch)
        return output

    def set_training(self) -> None:
        """Training mode for trained modules; fully frozen modules stay in evaluation mode."""
        for model in self.models.values():
            set_modes(model)

    def set_evaluating(self) -> None:
        """Evaluation mode for all models."""
        for model in self.models.values():
            model.eval()

    @property
    def learning_rate(self) -> float:
        """The highest rate of the next step."""
        return max(o.learning_rate for o in self.optimisers.values())

    def state_dict(self) -> dict[str, Any]:
        """The state for a checkpoint: weights, moments, steps."""
        return {
            "models": {name: model.state_dict() for name, model in self.models.items()},
            "optimisers": {name: o.state_dict() for name, o in self.optimisers.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore from `state_dict`."""
        for name, model in self.models.items():
            model.load_state_dict(state["models"][name])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])


def set_modes(module: nn.Module) -> None:
    """Training mode except for modules whose parameters are all frozen."""
    held = list(module.parameters())
    if held and not any(p.requires_grad for p in held):
        module.eval()
        return
    if isinstance(module, TrainableEncoder) and module.trained != [module]:
        module.eval()  # dropout before its last layers too, which has no parameters of its own
        for part in module.trained:
            set_modes(part)
        return
    module.training = True
    for child in module.children():
        set_modes(child)
