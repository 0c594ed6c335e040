"""MLA: the head's gradient is turned from what it has learned by; how answers are weighed."""

from __future__ import annotations

import math

import pytest
import torch

from emollama.base.errors import EmollamaError
from emollama.fusion.layers import Tokens
from emollama.fusion.training.strategies.mla import Mla
from tests.fusion.systems_made import model_of
from tests.fusion.training.strategies.made import batch, model, strategy


def test_the_projector_leaves_the_mean_embedding() -> None:
    made = strategy("mla", model("msum"), {"alpha": 0.5})
    assert isinstance(made, Mla)
    values = torch.zeros(6, 1, 8)
    values[:4, 0, 2], values[4:] = 3.0, torch.nan
    present = (torch.arange(6) < 4)[:, None]
    made._turn_from(Tokens(values, present, torch.zeros(6, 1)), 1.0)
    wanted = torch.eye(8)
    wanted[2, 2] = 1 - 9 / 9.5
    torch.testing.assert_close(made.projector, wanted)


@pytest.mark.parametrize("projection", [True, False])
def test_the_second_modalitys_step_spares_what_the_first_taught(projection: bool) -> None:
    """With a small alpha, answers to the first one's mean embedding move by its bias alone."""
    first = model("msum")
    made = strategy(
        "mla", first, {"alpha": 1e-4, "projection": projection}, momentum=0, weight_decay=0
    )
    heads: list[torch.Tensor] = []
    embedded: list[torch.Tensor] = []

    def seen(layer: torch.nn.Linear, given: tuple[torch.Tensor], _: torch.Tensor) -> None:
        heads.append(layer.weight.clone())
        embedded.append(given[0])

    first.output["shared"].register_forward_hook(seen)
    made.begin_epoch(0)
    made.set_evaluating()
    made.step(batch())
    mean = embedded[0][:4].detach().mean(0)
    change = (first.output["shared"].weight - heads[1]) @ mean
    whole = (first.output["shared"].weight - heads[1]).norm() * mean.norm()
    assert whole > 1e-3
    assert bool(change.norm() < 1e-2 * whole) is projection


def test_answers_are_weighed_by_entropy_or_by_numbers() -> None:
    first = model("msum")
    made = strategy("mla", first, {})
    made.set_evaluating()
    with torch.no_grad():
        each = first.unimodal_logits(first.encode(batch()))
        found = made.answer(batch()).logits
        weighed = strategy("mla", first, {"weights": {"voice": 0.3, "words": 0.7}})
        fixed = weighed.answer(batch()).logits
    assert found is not None and fixed is not None
    sure = {}
    for name, logits in each.items():
        p = logits.softmax(-1)
        sure[name] = torch.exp((p * p.log()).sum(-1, keepdim=True))
    both = (sure["words"] * each["words"] + sure["voice"] * each["voice"]) / sum(sure.values())
    torch.testing.assert_close(found[:4], both[:4])
    torch.testing.assert_close(found[4:], each["words"][4:])
    torch.testing.assert_close(fixed[:4], (0.3 * each["voice"] + 0.7 * each["words"])[:4])
    torch.testing.assert_close(fixed[4:], each["words"][4:])
    assert not math.isclose(float(found[0, 0]), float(fixed[0, 0]))


def test_entropy_is_of_one_label() -> None:
    several = model_of("amst", {"width": 8}, ("words", "voice"), kind="labels")
    with pytest.raises(EmollamaError, match="entropy needs a single-label task, not labels"):
        strategy("mla", several, {})
