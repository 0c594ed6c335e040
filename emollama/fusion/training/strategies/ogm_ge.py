"""OGM-GE (Peng et al. 2022): the leading modality learns more slowly, with noise added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from pydantic import Field, model_validator
from torch import Tensor

from emollama.base.config import Strict
from emollama.base.errors import EmollamaError
from emollama.fusion.batch import FusionBatch
from emollama.fusion.configuration import FusionTask
from emollama.fusion.modeling import FusionModel
from emollama.fusion.tasks import loss, split_logits
from emollama.fusion.training.optimising import Optimiser, summed
from emollama.fusion.training.strategies.base import MAIN, Plan, Strategy
from emollama.fusion.training.strategies.unimodal import present_rows, require_unimodal, unimodal
from emollama.inputs.draws import generator


class OgmGeOptions(Strict):
    """How strongly the leading modality is slowed down (`alpha`), and whether noise is added.

    Gradients are modulated in the epochs from `begin` up to, but not including, `end`.
    """

    alpha: float = Field(default=0.8, gt=0)
    noise: bool = True
    begin: int = Field(default=0, ge=0)
    end: int = Field(default=50, ge=0)

    @model_validator(mode="after")
    def _some_epochs(self) -> OgmGeOptions:
        if self.begin >= self.end:
            raise ValueError(f"begin {self.begin} must be less than end {self.end}")
        return self


class OgmGe(Strategy):
    """A joint step with scaled and noisy encoder gradients.

    A modality's score is the sum over rows of its own probability of the true label. It is divided
    by the sum of the others' scores; for the modality with the highest ratio r, gradients of
    encoder weights are scaled by 1 - tanh(alpha r), for the others not at all. Gaussian noise with
    the gradient's own deviation is added to the gradient of every encoder weight. Biases and norms
    are not changed.
    """

    options_class = OgmGeOptions

    def __init__(self, model: FusionModel, options: OgmGeOptions, plan: Plan) -> None:
        super().__init__(model, options, plan)
        self.epoch = 0
        self.optimisers[MAIN] = Optimiser(
            model.named_parameters(), plan.settings, plan.epochs * plan.batches, plan.batches
        )

    @classmethod
    def check(cls, options: Any, modalities: Sequence[str], task: FusionTask) -> None:
        """Check for a single-label task and at least two modalities."""
        if task.kind not in ("label", "label+values"):
            raise EmollamaError(f"strategy ogm-ge: needs a single-label task, not {task.kind}")
        if len(modalities) < 2:
            raise EmollamaError("strategy ogm-ge: needs at least two modalities")

    @classmethod
    def check_system(cls, system: type[FusionModel], options: Mapping[str, Any]) -> None:
        """Check that each modality can answer alone."""
        require_unimodal(system)

    def begin_epoch(self, epoch: int) -> None:
        """Store the epoch, since modulation ends at some epoch."""
        self.epoch = epoch

    def step(self, batch: FusionBatch, share: float = 1.0) -> Tensor:
        """Forward, backward, modulation, update."""
        model, optimiser = self.model, self.optimisers[MAIN]
        tokens = model.encode(batch)
        value = loss(model.config, model.fuse(tokens), batch.targets)
        (value * share).backward()
        if self.options.begin <= self.epoch < self.options.end:
            with torch.no_grad():
                logits = unimodal(model).unimodal_logits(tokens)
            found = scores(model, logits, batch) * (share > 0)
            kept = dict(zip(logits, coefficients(summed(found), self.options.alpha), strict=True))
            optimiser.step(lambda: self._modulate(kept, optimiser.done))
        else:
            optimiser.step()
        return value.detach()

    def _modulate(self, kept: Mapping[str, float], step: int) -> None:
        """Scale, then add noise that is a function of the seed and the step."""
        drawn = torch.Generator().manual_seed(
            generator(self.plan.seed, "noise", step).getrandbits(63)
        )
        for name in self.model.config.names:
            for parameter in self.model.parameters_of(name):
                gradient = parameter.grad
                if gradient is None or parameter.dim() < 2:
                    continue
                deviation = gradient.std(correction=0)
                gradient.mul_(kept[name])
                if self.options.noise:
                    noise = torch.randn(gradient.shape, generator=drawn)
                    gradient.add_(noise.to(gradient) * deviation)


def scores(model: FusionModel, logits: Mapping[str, Tensor], batch: FusionBatch) -> Tensor:
    """Each modality's summed probability [M] of the true label, over rows with all modalities."""
    target = batch.targets["label"]
    rows = target.valid & present_rows(batch, list(logits)).all(dim=1)
    found: list[Tensor] = []
    for own in logits.values():
        columns, _ = split_logits(model.config, own)
        assert columns is not None
        true = columns.softmax(-1).gather(1, target.values[:, None])[:, 0]
        found.append(torch.where(rows, true, 0.0).sum())
    return torch.stack(found)


def coefficients(scores: Tensor, alpha: float) -> list[float]:
    """Factors [M] of the gradients, by the modalities' scores [M].

    If two are tied, or nothing is known, none is slowed down.
    """
    values = scores.double()
    ratios = values / (values.sum() - values).clamp(min=1e-12)
    factors = torch.ones_like(ratios)
    ahead = ratios == ratios.max()
    if int(ahead.sum()) == 1:
        factors = torch.where(ahead, 1 - torch.tanh(alpha * ratios.relu()), factors)
    return [float(f) for f in factors]
