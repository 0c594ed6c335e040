"""One optimizer with its learning-rate schedule, clipping and gradient sums over processes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import torch
import torch.distributed as dist
from pydantic import Field, field_validator, model_validator
from torch import nn

from emollama.base.config import Strict
from emollama.base.errors import EmollamaError
from emollama.inputs.draws import generator

Schedule = Literal["constant", "linear", "cosine", "step"]


class OptimizerSection(Strict):
    """How weights are updated.

    `learning_rates` gives parameters whose names a regular expression finds a rate of their own,
    the first that fits. `warmup_share` is the part of all steps over which rates rise from 0;
    `constant_epochs` are held before a linear or cosine schedule falls to 0; "step" multiplies by
    `decay` every `decay_every_epochs` epochs. Gradients are clipped by norm, by value, or not (0).
    """

    batch_size: int = Field(default=32, ge=1)
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: float = Field(default=1e-3, gt=0)
    learning_rates: dict[str, float] = Field(default={})
    betas: tuple[float, float] = (0.9, 0.999)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    schedule: Schedule = "constant"
    warmup_share: float = Field(default=0.0, ge=0, lt=1)
    constant_epochs: int = Field(default=0, ge=0)
    decay_every_epochs: int = Field(default=30, ge=1)
    decay: float = Field(default=0.1, gt=0, le=1)
    max_grad_norm: float = Field(default=0.0, ge=0)
    max_grad_value: float = Field(default=0.0, ge=0)

    @field_validator("learning_rates")
    @classmethod
    def _are_expressions(cls, value: dict[str, float]) -> dict[str, float]:
        for pattern, rate in value.items():
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(
                    f"'{pattern}' is not a valid regular expression: {error}"
                ) from error
            if rate <= 0:
                raise ValueError(f"'{pattern}': the learning rate must be above 0")
        return value

    @model_validator(mode="after")
    def _one_clipping(self) -> OptimizerSection:
        if self.max_grad_norm and self.max_grad_value:
            raise ValueError("max_grad_norm and max_grad_value are both set; set one of them")
        if self.constant_epochs and self.schedule not in ("linear", "cosine"):
            raise ValueError("constant_epochs needs schedule: linear or cosine")
        return self


class Optimiser:
    """Updates a set of parameters; gradients are summed over all processes first.

    Parameters without a gradient keep their values and momentum: skipped modules do not change.
    Several optimisers may share one loop, each with its own steps.

    Args:
        parameters: by name; those that do not require gradients are left out.
        settings: rates, schedule, clipping.
        steps: total number of steps.
        steps_per_epoch: for schedules that count epochs.
        learning_rate: overrides that of the settings.
    """

    def __init__(
        self,
        parameters: Iterable[tuple[str, nn.Parameter]],
        settings: OptimizerSection,
        steps: int,
        steps_per_epoch: int,
        learning_rate: float | None = None,
    ) -> None:
        self.settings = settings
        self.steps = steps
        self.steps_per_epoch = steps_per_epoch
        self.done = 0
        groups: dict[float, list[nn.Parameter]] = {}
        for name, parameter in parameters:
            if parameter.requires_grad:
                rate = rate_of(name, settings.learning_rates, learning_rate or
                               settings.learning_rate)  # fmt: skip
                groups.setdefault(rate, []).append(parameter)
        self.parameters = [p for group in groups.values() for p in group]
        if not self.parameters:
            raise EmollamaError("nothing to train: every parameter is frozen")
        self.rates = list(groups)
        self.optimizer = _optimizer(
            [{"params": group, "lr": rate} for rate, group in groups.items()], settings
        )

    def factor(self, step: int) -> float:
        """The factor of the learning rates at a step, counted from 0."""
        settings = self.settings
        warm = math.ceil(settings.warmup_share * self.steps)
        if step < warm:
            return (step + 1) / (warm + 1)
        if settings.schedule == "constant":
            return 1.0
        if settings.schedule == "step":
            every = settings.decay_every_epochs * self.steps_per_epoch
            return float(settings.decay ** (step // every))
        held = max(warm, settings.constant_epochs * self.steps_per_epoch)
        if step < held:
            return 1.0
        left = 1 - (step - held) / max(1, self.steps - held)
        left = max(0.0, left)
        return left if settings.schedule == "linear" else 0.5 * (1 - math.cos(math.pi * left))

    @property
    def learning_rate(self) -> float:
        """The highest rate of the next step."""
        return max(self.rates) * self.factor(self.done)

    def step(self, altered: Callable[[], None] | None = None) -> None:
        """Clip, update and clear the gradients.

        `altered` may change them after they are summed over processes.
        """
        add_gradients(self.parameters)
        if altered is not None:
            altered()
        if self.settings.max_grad_norm:
            nn.utils.clip_grad_norm_(self.parameters, self.settings.max_grad_norm)
        if self.settings.max_grad_value:
            nn.utils.clip_grad_value_(self.parameters, self.settings.max_grad_value)
        factor = self.factor(self.done)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        self.optimizer.step()
        self.forget()
        self.done += 1

    def forget(self) -> None:
        """Drop gradients without a step."""
        for parameter in self.parameters:
            parameter.grad = None

    def state_dict(self) -> dict[str, Any]:
        """Moments and the number of steps so far."""
        return {"optimizer": self.optimizer.state_dict(), "done": self.done}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore from `state_dict`."""
        self.optimizer.load_state_dict(dict(state["optimizer"]))
        self.done = int(state["done"])


def rate_of(name: str, rates: Mapping[str, float], otherwise: float) -> float:
    """The rate of the first regular expression that matches a parameter's name."""
    return next((rate for pattern, rate in rates.items() if re.search(pattern, name)), otherwise)


def summed(values: torch.Tensor) -> torch.Tensor:
    """The sum over processes; with one process, the value itself."""
    if dist.is_initialized() and dist.get_world_size() > 1:
        values = values.clone()
        dist.all_reduce(values)
    return values


def add_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Sum gradients over processes; a gradient missing in a process counts as 0."""
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return
    every = list(parameters)
    device = every[0].device
    held = torch.tensor([p.grad is not None for p in every], device=device).float()
    dist.all_reduce(held)
    used = [p for p, count in zip(every, held.tolist(), strict=True) if count]
    if not used:
        return
    flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in used])
    dist.all_reduce(flat)
    for parameter, part in zip(used, flat.split([p.numel() for p in used]), strict=True):
        parameter.grad = part.view_as(parameter)


def _optimizer(groups: list[dict[str, Any]], settings: OptimizerSection) -> torch.optim.Optimizer:
    decay = settings.weight_decay
    # A single kernel for all tensors: at thousands of small steps the loop over them is the cost.
    if settings.optimizer == "sgd":
        # Not fused: that kernel cannot have momentum for some tensors only, and a skipped encoder
        # has none before its first step.
        return torch.optim.SGD(groups, momentum=settings.momentum, weight_decay=decay, foreach=True)
    kind = torch.optim.Adam if settings.optimizer == "adam" else torch.optim.AdamW
    return kind(groups, betas=settings.betas, weight_decay=decay, fused=True)


def seed_step(seed: int, *about: int) -> None:
    """Make a model's random draws (dropout) a function of the seed and the given keys."""
    number = generator(seed, *about).getrandbits(63)
    # Not torch.manual_seed: it looks for every kind of device, at a sixth of a small step's time.
    torch.default_generator.manual_seed(number)
    if torch.cuda.is_available():
        torch.cuda.manual_seed_all(number)
