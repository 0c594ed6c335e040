"""AMST (ECML-PKDD 2025): alternating (A) and joint (J) training with skip factors, and both (F).

Facts of the public system (CXianRen/AMST). There F trains its joint model with the alternating
routine as well; here it is trained jointly, as the paper draws it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from emollama.fusion.batch import FusionBatch
from emollama.fusion.modeling import FusionModel, FusionOutput
from emollama.fusion.tasks import loss
from emollama.fusion.training.optimising import Optimiser
from emollama.fusion.training.strategies.base import MAIN, Plan
from emollama.fusion.training.strategies.skipping import Skipping
from emollama.fusion.training.strategies.unimodal import (
    known_in,
    learn_alone,
    present_rows,
    require_head,
    says_something,
    unimodal,
)

JOINT = "joint"
"""Name of F's second model."""


class AmstA(Skipping):
    """Each active modality in turn, by its own loss through the shared head and its own step.

    The head changes at every step, an encoder only at its own; the next modality uses the updated
    head.
    """

    def __init__(self, model: FusionModel, options: Any, plan: Plan) -> None:
        super().__init__(model, options, plan)
        self.optimisers[MAIN] = whole_model(model, plan)

    @classmethod
    def check_system(cls, system: type[FusionModel], options: Mapping[str, Any]) -> None:
        """Check that the head is msum."""
        super().check_system(system, options)
        require_head(options, "msum", "amst-a")

    def step(self, batch: FusionBatch, share: float = 1.0) -> Tensor:
        """One step per modality; returns the mean loss."""
        return alternating_step(self.model, self.optimisers[MAIN], batch, self.active, share)


class AmstJ(Skipping):
    """The active modalities through their part of one joint layer: one loss, one step."""

    def __init__(self, model: FusionModel, options: Any, plan: Plan) -> None:
        super().__init__(model, options, plan)
        self.optimisers[MAIN] = whole_model(model, plan)

    @classmethod
    def check_system(cls, system: type[FusionModel], options: Mapping[str, Any]) -> None:
        """Check that the head is concat."""
        super().check_system(system, options)
        require_head(options, "concat", "amst-j")

    def step(self, batch: FusionBatch, share: float = 1.0) -> Tensor:
        """One step of the active modalities."""
        return joint_skip_step(self.model, self.optimisers[MAIN], batch, self.active, share)


class AmstF(Skipping):
    """A and J as two separate models; both contribute to the answer."""

    def __init__(self, model: FusionModel, options: Any, plan: Plan) -> None:
        super().__init__(model, options, plan)
        head: dict[str, str] = {"head": "concat"} if "head" in model.config.options else {}
        self.models[JOINT] = plan.another(JOINT, head)
        for name, one in self.models.items():
            self.optimisers[name] = whole_model(one, plan)

    @classmethod
    def check_system(cls, system: type[FusionModel], options: Mapping[str, Any]) -> None:
        """Check that the head is msum."""
        super().check_system(system, options)
        require_head(options, "msum", "amst-f")

    def step(self, batch: FusionBatch, share: float = 1.0) -> Tensor:
        """A step of each model; the mean of their losses."""
        one = alternating_step(self.model, self.optimisers[MAIN], batch, self.active, share)
        other = joint_skip_step(
            self.models[JOINT], self.optimisers[JOINT], batch, self.active, share
        )
        return (one + other) / 2

    @classmethod
    def answered(
        cls, models: Mapping[str, FusionModel], batch: FusionBatch, options: Any
    ) -> FusionOutput:
        """Mean of A's logits of each modality and J's: M + 1 votes, fewer if one is absent."""
        del options
        each = unimodal(models[MAIN]).unimodal_logits(models[MAIN].encode(batch))
        joint = models[JOINT](batch)
        assert joint.logits is not None
        present = present_rows(batch, list(each)).sum(dim=1, keepdim=True)
        total = torch.stack(list(each.values())).sum(dim=0) + joint.logits
        return FusionOutput(logits=total / (present + 1))


def whole_model(model: FusionModel, plan: Plan) -> Optimiser:
    """One optimizer; parameters without a gradient keep their values and momentum."""
    return Optimiser(
        model.named_parameters(), plan.settings, plan.epochs * plan.batches, plan.batches
    )


def alternating_step(
    model: FusionModel,
    optimiser: Optimiser,
    batch: FusionBatch,
    names: tuple[str, ...],
    share: float,
) -> Tensor:
    """One step a modality, in order; the mean of their losses.

    The schedule advances by one per batch, whatever the number of modalities.
    """
    done = optimiser.done
    losses: list[Tensor] = []
    for name in names:
        optimiser.done = done
        losses.append(learn_alone(model, batch, name, share)[0])
        optimiser.step()
    optimiser.done = done + 1
    return torch.stack(losses).mean()


def joint_skip_step(
    model: FusionModel,
    optimiser: Optimiser,
    batch: FusionBatch,
    names: tuple[str, ...],
    share: float,
) -> Tensor:
    """One step of some modalities' terms of the head; rows without any are ignored."""
    targets = known_in(batch.targets, present_rows(batch, names).any(dim=1))
    value = torch.zeros((), device=model.device)
    if says_something(targets):
        value = loss(model.config, model(batch, only=names), targets)
        (value * share).backward()
    optimiser.step()
    return value.detach()
