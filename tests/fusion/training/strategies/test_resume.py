"""Every strategy goes on from its checkpoint, in the middle of an epoch, as if never stopped."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
import torch

from emollama.fusion.batch import FusionBatch
from emollama.fusion.training.optimising import seed_step
from emollama.fusion.training.strategies.base import Strategy
from emollama.fusion.training.strategies.table import STRATEGIES
from tests.fusion.systems_made import batch_of, model_of
from tests.fusion.training.strategies.made import batch, model, same, state, strategy

OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "joint": ("concat", {}),
    "staged": ("concat", {"stages": [{"epochs": 2}, {"epochs": 4, "trainable": "head"}]}),
    "amst-a": ("msum", {"skip": {"voice": 2}}),
    "amst-j": ("concat", {"skip": {"voice": 2}}),
    "amst-f": ("msum", {"skip": {"voice": 2}}),
    "ogm-ge": ("concat", {}),
    "mla": ("msum", {}),
    "windows": ("", {"frames": 3}),
}


def made(name: str) -> tuple[Strategy, FusionBatch]:
    head, options = OPTIONS[name]
    more = {"schedule": "cosine", "warmup_share": 0.2}
    if name != "windows":
        return strategy(name, model(head), options, **more), batch()
    small = {"width": 8, "regressor": [8]}
    first = model_of("va_fclstm", small, ("voice", "face"), kind="frames")
    return strategy(name, first, options, **more), batch_of(("voice", "face"), kind="frames")


def steps(strategy: Strategy, data: FusionBatch, first: int, last: int) -> None:
    """Steps of an epoch of two, each epoch begun as the loop begins it."""
    for step in range(first, last):
        if step == first or step % 2 == 0:
            strategy.begin_epoch(step // 2)
            strategy.set_training()
        seed_step(1, step)
        strategy.step(replace(data))


def test_all_strategies_are_here() -> None:
    assert OPTIONS.keys() == STRATEGIES.keys()


@pytest.mark.parametrize("name", OPTIONS)
def test_stopped_and_resumed_is_uninterrupted(name: str) -> None:
    whole, data = made(name)
    steps(whole, data, 0, 10)
    stopped, _ = made(name)
    steps(stopped, data, 0, 5)
    kept = io.BytesIO()
    torch.save(stopped.state_dict(), kept)
    kept.seek(0)
    resumed, _ = made(name)
    resumed.load_state_dict(torch.load(kept, weights_only=True))
    steps(resumed, data, 5, 10)
    for key, one in whole.models.items():
        assert same(state(one), state(resumed.models[key])), key
    assert whole.learning_rate == resumed.learning_rate
