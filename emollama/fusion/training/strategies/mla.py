"""MLA (Zhang et al. 2024): modalities in turn through one head that is kept from forgetting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from emollama.base.config import Strict
from emollama.base.errors import EmollamaError
from emollama.fusion.batch import FusionBatch
from emollama.fusion.configuration import FusionTask
from emollama.fusion.layers import Tokens
from emollama.fusion.modeling import FusionModel, FusionOutput
from emollama.fusion.tasks import split_logits
from emollama.fusion.training.optimising import Optimiser, summed
from emollama.fusion.training.strategies.base import MAIN, Plan, Strategy
from emollama.fusion.training.strategies.unimodal import (
    learn_alone,
    present_rows,
    require_head,
    require_modalities,
    require_unimodal,
    unimodal,
)


class MlaOptions(Strict):
    """Protection of the head, and weights of the modalities in the answer.

    `projection` keeps the shared head's steps out of directions used by earlier modalities; a small
    `alpha` protects them more strongly. `weights` are "entropy" (a more certain modality weighs
    more) or one number per modality.
    """

    projection: bool = True
    alpha: float = Field(default=1.0, gt=0)
    weights: Literal["entropy"] | dict[str, float] = "entropy"

    @field_validator("weights")
    @classmethod
    def _count(cls, value: Any) -> Any:
        if isinstance(value, dict) and (not value or any(w <= 0 for w in value.values())):
            raise ValueError("weights: give a number above 0 for each modality, or entropy")
        return value


class Mla(Strategy):
    """Alternating steps through one head, whose gradient is projected.

    P [d, d] begins as the identity. After a modality's step, with h the mean of its embeddings,
    P becomes P - P h (P h)' / (alpha + h' P h); the next modality's gradient of the head's weight
    is multiplied by P, so that the head's answers to earlier embeddings change little.
    """

    options_class = MlaOptions

    def __init__(self, model: FusionModel, options: MlaOptions, plan: Plan) -> None:
        super().__init__(model, options, plan)
        self.names = tuple(sorted(model.config.names))
        self.head = shared_head(model)
        self.projector = torch.eye(self.head.in_features, device=model.device)
        self.optimisers[MAIN] = Optimiser(
            model.named_parameters(), plan.settings, plan.epochs * plan.batches, plan.batches
        )

    @classmethod
    def check(cls, options: Any, modalities: Sequence[str], task: FusionTask) -> None:
        """Check that entropy has a single-label task, and fixed weights cover every modality."""
        if options.weights == "entropy":
            if task.kind not in ("label", "label+values"):
                raise EmollamaError(
                    "strategy.weights: entropy needs a single-label task, not "
                    f"{task.kind}; give each modality a number"
                )
            return
        require_modalities(list(options.weights), modalities, "strategy.weights")
        for name in modalities:
            if name not in options.weights:
                raise EmollamaError(f"strategy.weights: no weight for modality '{name}'")

    @classmethod
    def check_system(cls, system: type[FusionModel], options: Mapping[str, Any]) -> None:
        """Check that each modality can answer alone, through one head."""
        require_unimodal(system)
        require_head(options, "msum", "mla")

    def step(self, batch: FusionBatch, share: float = 1.0) -> Tensor:
        """One step per modality, in alphabetical order; returns the mean loss."""
        optimiser = self.optimisers[MAIN]
        done = optimiser.done
        losses: list[Tensor] = []
        for name in self.names:
            optimiser.done = done
            value, tokens = learn_alone(self.model, batch, name, share)
            weight = self.head.weight
            if self.options.projection and weight.grad is not None:
                weight.grad = weight.grad @ self.projector
            optimiser.step()
            if self.options.projection:
                self._turn_from(tokens, share)
            losses.append(value)
        optimiser.done = done + 1
        return torch.stack(losses).mean()

    @torch.no_grad()
    def _turn_from(self, tokens: Tokens | None, share: float) -> None:
        """Remove the mean embedding's direction, over all processes, from the projector."""
        both = self.projector.new_zeros(len(self.projector) + 1)
        if tokens is not None and share > 0:
            both[:-1] = torch.where(tokens.present[:, None], tokens.values[:, 0], 0.0).sum(dim=0)
            both[-1] = tokens.present.sum()
        both = summed(both)
        if not bool(both[-1] > 0):
            return
        mean = both[:-1] / both[-1]
        turned = self.projector @ mean
        self.projector -= torch.outer(turned, turned) / (self.options.alpha + mean @ turned)

    @classmethod
    def answered(
        cls, models: Mapping[str, FusionModel], batch: FusionBatch, options: Any
    ) -> FusionOutput:
        """The weighted logits of the modalities; absent ones have no weight."""
        model = models[MAIN]
        each = unimodal(model).unimodal_logits(model.encode(batch))
        logits = torch.stack(list(each.values()), dim=1)
        present = present_rows(batch, list(each))
        if options.weights == "entropy":
            weights = (-entropies(model, logits)).softmax(-1)
        else:
            weights = logits.new_tensor([options.weights[name] for name in each]).expand(
                len(batch), -1
            )
        weights = torch.where(present, weights, 0.0)
        weights = weights / weights.sum(dim=1, keepdim=True).clamp(min=1e-12)
        return FusionOutput(logits=(logits * weights[..., None]).sum(dim=1))

    def state_dict(self) -> dict[str, Any]:
        """The base state and the projector."""
        return {**super().state_dict(), "projector": self.projector}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore from `state_dict`."""
        super().load_state_dict(state)
        self.projector = state["projector"]


def shared_head(model: FusionModel) -> nn.Linear:
    """The layer shared by all modalities."""
    layer = model.get_submodule("output.shared")
    assert isinstance(layer, nn.Linear)
    return layer


def entropies(model: FusionModel, logits: Tensor) -> Tensor:
    """Entropy [B, M] of each modality's distribution over labels, in nats."""
    columns, _ = split_logits(model.config, logits)
    assert columns is not None
    logs = columns.log_softmax(-1)
    return -(logs.exp() * logs).sum(-1)
