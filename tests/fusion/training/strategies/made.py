"""Small AMST models with batch norm and dropout in their encoders, batches, and whole epochs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from emollama.fusion.batch import FusionBatch
from emollama.fusion.modeling import FusionModel
from emollama.fusion.systems.amst import Amst
from emollama.fusion.training.optimising import OptimizerSection, seed_step
from emollama.fusion.training.strategies.base import Plan, Strategy
from emollama.fusion.training.strategies.table import strategy_class
from tests.fusion.systems_made import batch_of, lacking, model_of

NAMES = ("words", "voice")
SETTINGS: dict[str, Any] = {"learning_rate": 0.05, "optimizer": "sgd", "weight_decay": 0.01}


def model(head: str, names: tuple[str, ...] = NAMES) -> Amst:
    """Its encoders have statistics of their own."""
    made = model_of("amst", {"head": head, "width": 8}, names, kind="label")
    assert isinstance(made, Amst)
    for encoder in made.encoders.values():
        encoder.layer = nn.Sequential(encoder.layer, nn.BatchNorm1d(8), nn.Dropout(0.2))
    made.eval()
    return made


def batch(names: tuple[str, ...] = NAMES) -> FusionBatch:
    """Six rows; the last two lack their voice."""
    made = lacking(batch_of(names), ["voice"], [4, 5])
    return replace(made, targets={"label": made.targets["label"]})


def strategy(name: str, first: FusionModel, options: dict[str, Any], **more: Any) -> Strategy:
    kind = strategy_class(name)
    checked = kind.options_class.model_validate(options)
    kind.check(checked, first.config.names, first.config.goal)
    plan = Plan(
        OptimizerSection(**{**SETTINGS, **more}),
        epochs=6,
        batches=2,
        another=lambda name, options: model(options["head"], first.config.names),
        seed=5,
    )
    return kind(first, checked, plan)


def epoch(strategy: Strategy, number: int, data: FusionBatch) -> Tensor:
    strategy.begin_epoch(number)
    strategy.set_training()
    for index in range(2):
        seed_step(1, number, index)
        value = strategy.step(data)
    return value


def state(module: nn.Module) -> dict[str, Tensor]:
    return {k: v.clone() for k, v in module.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[k], other[k]) for k in one)


def moved(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(not torch.equal(one[k], other[k]) for k in one)
