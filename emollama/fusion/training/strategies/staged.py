"""Staged training: a list of stages, each with the parameters it trains.

"2 epochs of all, 1 epoch of the head" (the MELD project's recipe, done manually there) is `stages:
[{epochs: 2}, {epochs: 1, trainable: head}]`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator
from torch import Tensor

from emollama.base.config import Strict
from emollama.base.errors import EmollamaError
from emollama.fusion.batch import FusionBatch
from emollama.fusion.modeling import FusionModel
from emollama.fusion.training.optimising import Optimiser
from emollama.fusion.training.strategies.base import MAIN, Plan, Strategy
from emollama.fusion.training.strategies.joint import joint_step


class Stage(Strict):
    """`trainable`: "all", "head" (all but the encoders), or a regular expression of names.

    `learning_rate` overrides that of the training. With `reset` the stage begins with a fresh
    optimizer and a schedule over its own steps; without it, moments and schedule continue.
    """

    epochs: int = Field(ge=1)
    trainable: str = "all"
    learning_rate: float | None = Field(default=None, gt=0)
    reset: bool = True

    @field_validator("trainable")
    @classmethod
    def _is_expression(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"'{value}' is not a valid regular expression: {error}") from error
        return value


class StagedOptions(Strict):
    """The stages in order."""

    stages: list[Stage] = Field(min_length=1)


class Staged(Strategy):
    """One stage after another; untrained parts are frozen and in evaluation mode."""

    options_class = StagedOptions

    def __init__(self, model: FusionModel, options: StagedOptions, plan: Plan) -> None:
        super().__init__(model, options, plan)
        self.stage = -1
        # What its own section froze (an encoder, its first layers) no stage thaws.
        self.learnable = {name for name, p in model.named_parameters() if p.requires_grad}
        for stage in options.stages:
            trainable_names(model, stage.trainable)
        self._enter(0)

    @classmethod
    def epochs(cls, options: StagedOptions, asked: int | None) -> int:
        """The sum of the stages' epochs."""
        total = sum(stage.epochs for stage in options.stages)
        if asked not in (None, total):
            raise EmollamaError(
                f"training.epochs is {asked}, but the stages add up to {total}; leave "
                "training.epochs out"
            )
        return total

    def begin_epoch(self, epoch: int) -> None:
        """Enter the next stage at its first epoch."""
        stage = 0
        while epoch >= self._first(stage + 1):
            stage += 1
        if stage != self.stage:
            self._enter(stage)

    def step(self, batch: FusionBatch, share: float = 1.0) -> Tensor:
        """A joint step of the parameters that the stage trains."""
        return joint_step(self.model, self.optimisers[MAIN], batch, share)

    def state_dict(self) -> dict[str, Any]:
        """The base state and the stage."""
        return {**super().state_dict(), "stage": self.stage}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Enter the stage first, since it determines the optimizer's parameters."""
        if state["stage"] != self.stage:
            self._enter(int(state["stage"]))
        super().load_state_dict(state)

    def _first(self, stage: int) -> int:
        """The first epoch of a stage."""
        return sum(s.epochs for s in self.options.stages[:stage])

    def _enter(self, number: int) -> None:
        stage, batches = self.options.stages[number], self.plan.batches
        chosen = trainable_names(self.model, stage.trainable) & self.learnable
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(name in chosen)
            parameter.grad = None
        steps = (stage.epochs if stage.reset else self.plan.epochs) * batches
        before = self.optimisers.get(MAIN)
        now = Optimiser(
            self.model.named_parameters(), self.plan.settings, steps, batches, stage.learning_rate
        )
        if not stage.reset and before is not None:
            now.done = self._first(number) * batches
            kept = before.optimizer.state
            now.optimizer.state.update({p: kept[p] for p in now.parameters if p in kept})
        self.optimisers[MAIN] = now
        self.stage = number
        self.set_training()


def trainable_names(model: FusionModel, trainable: str) -> set[str]:
    """Names of the parameters selected by "all", "head" or a regular expression.

    Raises:
        EmollamaError: it selects none.
    """
    names = [name for name, _ in model.named_parameters()]
    if trainable == "all":
        return set(names)
    if trainable == "head":
        encoders = {id(p) for name in model.config.names for p in model.parameters_of(name)}
        return {name for name, p in model.named_parameters() if id(p) not in encoders}
    found = {name for name in names if re.search(trainable, name)}
    if not found:
        raise EmollamaError(
            f"strategy.stages: trainable '{trainable}' matches no parameter; parameters "
            f"are {', '.join(names[:4])}, ..."
        )
    return found
