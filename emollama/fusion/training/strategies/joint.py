"""Joint training: all modalities, all parameters, one loss, one step per batch."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from emollama.fusion.batch import FusionBatch
from emollama.fusion.modeling import FusionModel
from emollama.fusion.tasks import loss
from emollama.fusion.training.optimising import Optimiser
from emollama.fusion.training.strategies.base import MAIN, Plan, Strategy


class Joint(Strategy):
    """Ordinary joint training."""

    def __init__(self, model: FusionModel, options: Any, plan: Plan) -> None:
        super().__init__(model, options, plan)
        self.optimisers[MAIN] = Optimiser(
            model.named_parameters(), plan.settings, plan.epochs * plan.batches, plan.batches
        )

    def step(self, batch: FusionBatch, share: float = 1.0) -> Tensor:
        """Forward, backward, update."""
        return joint_step(self.model, self.optimisers[MAIN], batch, share)


def joint_step(
    model: FusionModel, optimiser: Optimiser, batch: FusionBatch, share: float
) -> Tensor:
    """One step of a model on a whole batch; returns the detached loss."""
    value = loss(model.config, model(batch), batch.targets)
    (value * share).backward()
    optimiser.step()
    return value.detach()
