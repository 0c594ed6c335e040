"""Alternating skip: what rests is left alone to the last bit, and F is really both."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from emollama.base.errors import EmollamaError
from emollama.fusion.modeling import FusionModel
from emollama.fusion.training.strategies.amst import JOINT
from emollama.fusion.training.strategies.base import MAIN, Strategy
from tests.fusion.systems_made import model_of
from tests.fusion.training.strategies.made import (
    NAMES,
    batch,
    epoch,
    model,
    moved,
    same,
    state,
    strategy,
)

HEADS = {"amst-a": "msum", "amst-j": "concat", "amst-f": "msum"}


def momentum(strategy: Strategy, modality: str) -> list[Tensor]:
    found = []
    for name, one in strategy.models.items():
        kept = strategy.optimisers[name].optimizer.state
        for p in one.parameters_of(modality):
            found += [v.clone() for v in kept[p].values() if isinstance(v, Tensor)]
    assert found
    return found


def never(module: nn.Module, *_: object) -> None:
    raise AssertionError(f"{type(module).__name__} ran")


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("name", HEADS)
def test_a_modality_that_rests_is_left_alone_to_the_last_bit(name: str, optimizer: str) -> None:
    made = strategy(name, model(HEADS[name]), {"skip": {"voice": 3}}, optimizer=optimizer)
    before = state(made.model.encoders)
    epoch(made, 0, batch())
    assert moved(before, state(made.model.encoders))
    rested = {k: state(m.encoders["voice"]) for k, m in made.models.items()}
    learned = {k: state(m.encoders["words"]) for k, m in made.models.items()}
    heads = {k: state(m.output) for k, m in made.models.items()}
    moments = momentum(made, "voice")
    hooks = [
        part.register_forward_pre_hook(never)
        for one in made.models.values()
        for part in one.encoders["voice"].modules()
    ]
    for number in (1, 2):
        epoch(made, number, batch())
    for key, one in made.models.items():
        assert same(rested[key], state(one.encoders["voice"]))
        assert not any(m.training for m in one.encoders["voice"].modules())
        assert moved(learned[key], state(one.encoders["words"]))
        assert not same(heads[key], state(one.output))
    assert all(torch.equal(x, y) for x, y in zip(moments, momentum(made, "voice"), strict=True))
    for hook in hooks:
        hook.remove()
    epoch(made, 3, batch())
    assert moved(rested[MAIN], state(made.model.encoders["voice"]))


def test_each_modality_has_a_step_of_its_own_and_meets_the_head_as_the_last_left_it() -> None:
    made = strategy("amst-a", model("msum"), {}, momentum=0, weight_decay=0)
    seen: list[tuple[str, Tensor]] = []
    for name in NAMES:
        made.model.encoders[name].register_forward_hook(
            lambda *_, name=name: seen.append((name, made.model.output["shared"].weight.clone()))
        )
    made.begin_epoch(0)
    made.set_training()
    made.step(batch())
    assert [name for name, _ in seen] == ["voice", "words"], "alphabetical, one forward each"
    assert not torch.equal(seen[0][1], seen[1][1])
    assert made.optimisers[MAIN].done == 1, "the schedule counts batches"


def test_f_trains_its_joint_model_jointly() -> None:
    """As amst-j trains the same model, and as the alternating routine would not."""
    both = strategy("amst-f", model("msum"), {"skip": {"voice": 2}})
    twin = model("concat")
    twin.load_state_dict(both.models[JOINT].state_dict())
    for one in (both.models[JOINT], twin, both.model):
        for part in one.modules():
            if isinstance(part, nn.Dropout):
                part.p = 0.0  # A's steps draw before J's
    alone = strategy("amst-j", twin, {"skip": {"voice": 2}})
    calls: list[int] = []
    both.models[JOINT].output["words"].register_forward_hook(lambda *_: calls.append(1))
    for number in range(3):
        epoch(both, number, batch())
        epoch(alone, number, batch())
    assert same(state(both.models[JOINT]), state(twin)) and len(calls) == 6


def test_f_answers_with_the_mean_of_all_voices() -> None:
    both = strategy("amst-f", model("msum"), {})
    both.set_evaluating()
    with torch.no_grad():
        found = both.answer(batch()).logits
        first, joint = both.model, both.models[JOINT]
        a = first.unimodal_logits(first.encode(batch()))
        j = joint(batch()).logits
    assert found is not None and first.head == "msum" and joint.head == "concat"
    torch.testing.assert_close(found[:4], (a["words"] + a["voice"] + j)[:4] / 3)
    torch.testing.assert_close(found[4:], (a["words"] + j)[4:] / 2, msg="no voice, no say")


def test_rows_without_an_active_modality_count_for_nothing() -> None:
    """Two rows without a voice change nothing when only the voice learns."""
    found = []
    for rows in (range(4), range(6)):
        made = strategy("amst-j", model("concat"), {"skip": {"words": 2}})
        data = batch()
        mask = torch.zeros(6, dtype=torch.bool)
        mask[list(rows)] = True
        target = data.targets["label"]
        data.targets["label"].valid.copy_(target.valid & mask)
        found.append(float(epoch(made, 1, data)))
    assert found[0] == found[1]
    made = strategy("amst-a", model("msum"), {"skip": {"words": 2}})
    before = state(made.model)
    epoch(made, 1, batch().without(["voice"]))
    assert same(before, state(made.model)), "no step"


@pytest.mark.parametrize(
    ("name", "head", "options", "message"),
    [
        ("amst-a", "msum", {"skip": {"voise": 2}}, "strategy.skip: 'voise'.*did you mean 'voice'"),
        (
            "amst-j",
            "concat",
            {"skip": {"voice": 2, "words": 3}},
            "second epoch has no active modality",
        ),
        ("amst-a", "concat", {}, "strategy amst-a needs head 'msum', not 'concat'"),
        ("amst-j", "lsum", {}, "strategy amst-j needs head 'concat', not 'lsum'"),
        ("mla", "concat", {}, "strategy mla needs head 'msum'"),
        ("mla", "msum", {"weights": {"voice": 1}}, "no weight for modality 'words'"),
    ],
)
def test_mistakes_are_told(name: str, head: str, options: dict, message: str) -> None:
    with pytest.raises(EmollamaError, match=message):
        strategy(name, model(head), options)


def test_systems_without_unimodal_answers_are_refused() -> None:
    first: FusionModel = model_of("early", {}, NAMES, kind="label")
    with pytest.raises(EmollamaError, match="early: cannot answer from each modality alone"):
        strategy("amst-j", first, {})
