"""OGM-GE by hand: who is held back, by how much, and noise of the gradient's own deviation."""

from __future__ import annotations

import math

import pytest
import torch

from emollama.fusion.batch import FusionBatch, Target
from emollama.fusion.training.strategies.ogm_ge import OgmGe, coefficients, scores
from tests.fusion.training.strategies.made import batch, model, strategy


def test_the_modality_ahead_is_held_back() -> None:
    assert coefficients(torch.tensor([6.0, 2.0]), 0.1) == [
        pytest.approx(1 - math.tanh(0.1 * 3)),
        1.0,
    ]
    three = coefficients(torch.tensor([2.0, 5.0, 3.0]), 0.8)
    assert three == [1.0, pytest.approx(1 - math.tanh(0.8 * 1.0)), 1.0]
    assert coefficients(torch.tensor([3.0, 3.0]), 0.8) == [1.0, 1.0]
    assert coefficients(torch.tensor([0.0, 0.0]), 0.8) == [1.0, 1.0]


def test_scores_are_probabilities_of_the_truth_where_all_is_there() -> None:
    first = model("concat")
    data = batch()
    logits = {n: torch.log(torch.tensor([[0.5, 0.3, 0.2]] * 6)) for n in first.config.names}
    logits["voice"] = torch.log(torch.tensor([[0.2, 0.2, 0.6]] * 6))
    found = scores(first, logits, data)  # labels 0 1 2 0 of the rows that have both
    torch.testing.assert_close(found, torch.tensor([1.5, 1.2]))


def gradients(alpha: float, noise: bool, begin: int = 0) -> tuple[dict, dict]:
    """Gradients of the encoders' weights as they come and as they are stepped by."""
    made = strategy(
        "ogm-ge", model("concat"), {"alpha": alpha, "noise": noise, "begin": begin}, momentum=0,
        weight_decay=0, learning_rate=1.0,
    )  # fmt: skip
    assert isinstance(made, OgmGe)
    first = made.model
    names = [n for n, p in first.encoders.named_parameters() if p.dim() > 1]
    before = {n: p.clone() for n, p in first.encoders.named_parameters()}
    raw: dict[str, torch.Tensor] = {}
    for name, p in first.encoders.named_parameters():
        p.register_hook(lambda g, name=name: raw.__setitem__(name, g.clone()))
    made.begin_epoch(0)
    made.set_evaluating()
    made.step(batch())
    stepped = {n: before[n] - p for n, p in first.encoders.named_parameters()}
    return raw, {"weights": names, **stepped}


def test_only_weights_of_the_encoder_ahead_are_scaled() -> None:
    raw, stepped = gradients(2.0, noise=False)
    with torch.no_grad():
        fresh = model("concat")
        own = fresh.unimodal_logits(fresh.encode(batch()))
        found = scores(fresh, own, batch())
    ahead, behind = ("words", "voice") if found[0] > found[1] else ("voice", "words")
    factor = 1 - math.tanh(2.0 * float(found.max() / found.min()))
    for name, gradient in raw.items():
        held = name in stepped["weights"] and name.startswith(ahead)
        wanted = gradient * factor if held else gradient
        torch.testing.assert_close(stepped[name], wanted, atol=1e-6, rtol=1e-3)
    assert behind != ahead
    raw, stepped = gradients(2.0, noise=False, begin=49)
    for name, gradient in raw.items():
        torch.testing.assert_close(stepped[name], gradient, atol=1e-6, rtol=1e-3)


def test_noise_is_of_the_gradients_own_deviation_and_of_seed_and_step() -> None:
    """A hundred thousand entries, so that the deviation is seen."""
    drawn = []
    for step in (3, 3, 4):
        made = strategy("ogm-ge", model("concat"), {})
        assert isinstance(made, OgmGe)
        layer = made.model.encoders["voice"].layer[0]
        layer.weight = torch.nn.Parameter(torch.zeros(100, 1000))
        layer.weight.grad = torch.full((100, 1000), 0.5)
        layer.weight.grad[:, ::2] = -1.5
        layer.bias.grad = torch.ones_like(layer.bias)
        plain = layer.weight.grad.clone()
        torch.manual_seed(len(drawn))  # other draws do not matter
        made._modulate({"voice": 0.25, "words": 1.0}, step)
        noise = layer.weight.grad - 0.25 * plain
        assert abs(float(noise.mean())) < 0.02 and abs(float(noise.std()) - 1.0) < 0.02
        assert torch.equal(layer.bias.grad, torch.ones_like(layer.bias))
        drawn.append(noise)
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


def test_nothing_known_is_no_reason_to_hold_back() -> None:
    data = batch()
    none = Target(data.targets["label"].values, torch.zeros(6, dtype=torch.bool))
    unknown = FusionBatch(data.ids, data.values, data.valid, data.times, {"label": none})
    first = model("concat")
    with torch.no_grad():
        own = first.unimodal_logits(first.encode(unknown))
    assert scores(first, own, unknown).tolist() == [0.0, 0.0]
