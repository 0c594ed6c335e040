"""Staged training: what a stage does not train stays as it is, bit by bit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from emollama.base.errors import EmollamaError
from emollama.fusion.batch import FusionBatch, Target
from emollama.fusion.configuration import FusionConfig
from emollama.fusion.layers import Tokens, masked_mean
from emollama.fusion.modeling import FusionModel, FusionOutput
from emollama.fusion.training.optimising import OptimizerSection
from emollama.fusion.training.strategies.base import Plan
from emollama.fusion.training.strategies.staged import Staged, StagedOptions, trainable_names
from tests.fusion.test_trainable import fusion


class Encoded(FusionModel):
    """Encoders with statistics of their own and dropout under a linear head."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__(config)
        self.encoders = nn.ModuleDict(
            {n: nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 4), nn.Dropout()) for n in "ab"}
        )
        self.output = nn.Linear(8, 2)
        self.post_init()

    def encode_one(self, name: str, values: Tensor, valid: Tensor, times: Tensor) -> Tokens:
        return Tokens(self.encoders[name](values[:, 0])[:, None], valid, times)

    def fuse(self, tokens: Mapping[str, Tokens], state=None, explain=False) -> FusionOutput:
        parts = [masked_mean(t.values, t.valid) for t in tokens.values()]
        return FusionOutput(logits=self.output(torch.cat(parts, 1)))


def built() -> Encoded:
    torch.manual_seed(0)
    section = {"channel": "voice", "source": "x", "width": 3}
    return Encoded(FusionConfig([{"name": n, **section} for n in "ab"], labels=["x", "y"]))


def batch() -> FusionBatch:
    draw = torch.Generator().manual_seed(0)
    return FusionBatch(
        ids=tuple("abcdef"),
        values={n: torch.randn(6, 1, 3, generator=draw) for n in "ab"},
        valid={n: torch.ones(6, 1, dtype=torch.bool) for n in "ab"},
        times={n: torch.zeros(6, 1) for n in "ab"},
        targets={"label": Target(torch.tensor([0, 1] * 3), torch.ones(6, dtype=torch.bool))},
    )


def staged(model: FusionModel, *stages: dict[str, object]) -> Staged:
    options = StagedOptions.model_validate({"stages": list(stages)})
    settings = OptimizerSection(learning_rate=0.1, schedule="linear", optimizer="adamw")
    return Staged(model, options, Plan(settings, Staged.epochs(options, None), 2, lambda *_: model))


def epoch(strategy: Staged, number: int) -> None:
    strategy.begin_epoch(number)
    strategy.set_training()
    for _ in range(2):
        strategy.step(batch())


def state(model: nn.Module) -> dict[str, Tensor]:
    return {k: v.clone() for k, v in model.state_dict().items()}


def test_two_epochs_of_all_and_one_of_the_head() -> None:
    model = built()
    strategy = staged(model, {"epochs": 2}, {"epochs": 1, "trainable": "head"})
    before = state(model.encoders)
    epoch(strategy, 0)
    epoch(strategy, 1)
    learned, head = state(model.encoders), state(model.output)
    assert all(not torch.equal(before[k], learned[k]) for k in before)
    epoch(strategy, 2)
    assert not model.encoders["a"].training and not model.encoders["a"][2].training
    assert model.output.training
    after = state(model.encoders)
    assert all(torch.equal(learned[k], after[k]) for k in learned), "statistics among them"
    assert all(not torch.equal(head[k], v) for k, v in state(model.output).items())


def test_rates_schedules_and_moments_of_a_stage() -> None:
    stages = ({"epochs": 1}, {"epochs": 1, "trainable": "output", "learning_rate": 0.01})
    anew = staged(built(), *stages)
    epoch(anew, 0)
    anew.begin_epoch(1)
    assert (
        anew.learning_rate == pytest.approx(0.01) and not anew.optimisers["model"].optimizer.state
    )
    on = staged(built(), stages[0], {**stages[1], "reset": False})
    epoch(on, 0)
    on.begin_epoch(1)
    assert on.learning_rate == pytest.approx(0.005), "half of the steps are over"
    assert len(on.optimisers["model"].optimizer.state) == 2


def test_a_stage_goes_on_from_its_checkpoint() -> None:
    stages = ({"epochs": 1}, {"epochs": 2, "trainable": "head"})
    whole, first = staged(built(), *stages), staged(built(), *stages)
    for strategy in (whole, first):
        torch.manual_seed(3)
        epoch(strategy, 0)
        epoch(strategy, 1)
    second = staged(built(), *stages)
    second.load_state_dict(first.state_dict())
    for strategy in (whole, second):
        epoch(strategy, 2)
    there, here = state(whole.model), state(second.model)
    assert all(torch.equal(there[k], here[k]) for k in there)


def test_what_its_own_section_froze_no_stage_thaws(tmp_path: Path) -> None:
    """All but the last layers of an encoder: no gradients, no dropout before them."""
    model = fusion(tmp_path, trained_layers=1)
    model.train()
    learns = {n for n, p in model.named_parameters() if p.requires_grad}
    modes = {n: m.training for n, m in model.backbones.named_modules() if n.count(".") > 1}
    strategy = staged(model, {"epochs": 1}, {"epochs": 1, "trainable": "head"}, {"epochs": 1})
    for stage in (0, 1, 2):
        strategy.begin_epoch(stage)
        model.eval()
        strategy.set_training()
        found = {n: m.training for n, m in model.backbones.named_modules() if n.count(".") > 1}
        assert found == (dict.fromkeys(modes, False) if stage == 1 else modes)
        now = {n for n, p in model.named_parameters() if p.requires_grad}
        assert now == (learns & trainable_names(model, "head") if stage == 1 else learns)


def test_a_stage_that_trains_nothing_is_refused() -> None:
    with pytest.raises(EmollamaError, match=r"'decoder' matches no parameter; parameters are"):
        staged(built(), {"epochs": 1, "trainable": "decoder"})
