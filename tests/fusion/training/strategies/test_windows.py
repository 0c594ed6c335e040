"""Windows with carry are the whole video; rows, padding and what is not annotated stay apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from emollama.base.errors import EmollamaError
from emollama.fusion.batch import FusionBatch, Target
from emollama.fusion.tasks import loss
from emollama.fusion.training.strategies.base import MAIN
from emollama.fusion.training.strategies.windows import Videos, Windows
from tests.fusion.systems_made import batch_of, lacking, model_of, padded, rows_of
from tests.fusion.training.strategies.made import same, state, strategy

NAMES = ("voice", "face")
SMALL: dict[str, dict[str, Any]] = {
    "va_fclstm": {"width": 8, "regressor": [8]},
    "va_transformer_lstm": {"width": 8, "heads": 2, "layers": 1, "hidden": 8, "regressor": [8]},
    "va_transformer_attention": {
        "width": 8, "heads": 2, "layers": 1, "hidden": 8, "regressor": [8], "mem_avg_len": 2,
    },
}  # fmt: skip


def made(system: str = "va_fclstm", frames: int = 2, **more: Any) -> Windows:
    options = {**SMALL[system], "dropout": 0, "regressor_dropout": 0}
    first = model_of(system, options, NAMES, kind="frames")
    found = strategy("windows", first, {"frames": frames}, **more)
    assert isinstance(found, Windows)
    return found


def batch() -> FusionBatch:
    """The face has other times than the voice, whose frames are answered."""
    found = batch_of(NAMES, kind="frames")
    return replace(found, times={**found.times, "face": found.times["face"] * 1.3})


def answered(windows: Windows, data: FusionBatch) -> list[torch.Tensor]:
    windows.set_evaluating()
    with torch.no_grad():
        found = windows.answer(data)
    assert found.logits is not None and found.valid is not None
    return [row[mask] for row, mask in zip(found.logits, found.valid, strict=True)]


@pytest.mark.parametrize("frames", [2, 3, 100])
def test_windows_with_carry_are_one_pass(frames: int) -> None:
    one = made(frames=frames)
    with torch.no_grad():
        whole = one.model(batch())
    for row, got in enumerate(answered(one, batch())):
        torch.testing.assert_close(got, whole.logits[row][whole.valid[row]])


def test_training_by_windows_without_moving_has_the_loss_of_one_pass() -> None:
    """At a rate too small to change a float; frames are weighed alike."""
    one = made(learning_rate=1e-30, weight_decay=0.0)
    before = state(one.model)
    with torch.no_grad():
        wanted = loss(one.model.config, one.model(batch()), batch().targets)
    one.set_training()
    torch.testing.assert_close(one.step(batch()), wanted)
    assert same(before, state(one.model)) and one.optimisers[MAIN].done == 1


@pytest.mark.parametrize("system", SMALL)
def test_no_gradient_goes_back_beyond_a_window_and_each_makes_a_step(system: str) -> None:
    one = made(system)
    carried: list[bool] = []
    fuse = one.model.fuse
    steps: list[int] = []

    def watched(tokens: Any, state: Any = None, explain: bool = False) -> Any:
        carried.append(state is not None)
        assert state is None or not any(v.requires_grad for v in state.values())
        steps.append(next(iter(tokens.values())).values.shape[1])
        return fuse(tokens, state, explain)

    one.model.fuse = watched
    before = state(one.model.output)
    one.set_training()
    one.step(batch())
    assert carried == [False, True, True, True] and steps == [2, 2, 2, 1]
    assert not same(before, state(one.model.output))


@pytest.mark.parametrize("system", SMALL)
def test_rows_and_padding_stay_apart(system: str) -> None:
    """The batch is never time: a row alone, or among others and rubbish, has the same answers."""
    one = made(system)
    whole = answered(one, batch())
    for row in range(6):
        alone = answered(one, rows_of(batch(), [row]))[0]
        torch.testing.assert_close(alone, whole[row], atol=1e-5, rtol=1e-5)
    for got, wanted in zip(answered(one, padded(batch(), 3, 2)), whole, strict=True):
        torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-5)
    other = batch()
    other.values["voice"][0] += 5
    changed = answered(one, other)
    assert not torch.allclose(changed[0], whole[0])
    for got, wanted in zip(changed[1:], whole[1:], strict=True):
        torch.testing.assert_close(got, wanted)


def test_a_window_without_annotation_makes_no_step_but_is_read() -> None:
    data = batch()
    target = data.targets["frames"]
    late = target.valid.clone()
    late[:, :4] = False
    one = made(learning_rate=1e-30, weight_decay=0.0, optimizer="adam")
    counted: list[int] = []
    optimiser = one.optimisers[MAIN].optimizer
    optimiser.register_step_post_hook(lambda *_: counted.append(1))
    one.set_training()
    seen = {"frames": Target(target.values, late)}
    with torch.no_grad():
        wanted = loss(one.model.config, one.model(data), seen)
    torch.testing.assert_close(one.step(replace(data, targets=seen)), wanted)
    assert len(counted) == 2, "of four windows"


def with_target(data: FusionBatch, target: Target) -> FusionBatch:
    return replace(data, targets={**data.targets, "frames": target})


def test_targets_between_steps_are_learned_as_one_pass_learns_them() -> None:
    """Two and a half targets a step; row 0 lacks the voice and stands on the face's times.

    Each is of one window, the one that its line ends in; three before .25 s say nothing of the
    windows behind them.
    """
    data = lacking(batch(), ["voice"], [0])
    times = (torch.arange(20) * 0.04 + 0.013).expand(6, 20).clone()
    times[1, 9:] = torch.nan
    drawn = torch.rand(6, 20, 1, generator=torch.Generator().manual_seed(1))
    valid = times.isfinite()[..., None] & (torch.arange(20) != 4)[:, None]
    valid[2, 3:] = False
    one = made(learning_rate=1e-30, weight_decay=0.0)
    videos = Videos.of(one.model, data)
    for batched in (data, padded(data, 3, 2)):
        found = with_target(batched, Target(drawn, valid, times))
        with torch.no_grad():
            wanted = loss(one.model.config, one.model(found), found.targets)
        one.set_training()
        torch.testing.assert_close(one.step(found), wanted)
    arranged = videos.arranged(Target(drawn, valid, times))
    counts = [arranged.within(w).valid.sum(dim=(1, 2)).tolist() for w in videos.windows(2)]
    assert [sum(row) for row in zip(*counts, strict=True)] == valid.sum(dim=(1, 2)).tolist()
    # Windows of row 2 end with .15 s, .35 s, ... and its targets with .093 s.
    assert [count[2] for count in counts] == [3, 0, 0, 0]
    # The last step of a window is at .15 s: the target at .173 s is of the next window.
    assert [count[4] for count in counts] == [4, 4, 11, 0]


def test_a_row_without_the_first_modality_learns_at_the_targets_times() -> None:
    """As where its channel is dropped: it stands on the face's frames, .13 s apart, not .1 s."""
    data = lacking(batch(), ["voice"], [0])
    one = made(learning_rate=1e-30, weight_decay=0.0)
    with torch.no_grad():
        wanted = loss(one.model.config, one.model(data), data.targets)
    one.set_training()
    torch.testing.assert_close(one.step(data), wanted)
    # Frames of a longer target, of which there is no step, change nothing.
    truth = data.targets["frames"]
    nan = torch.full((6, 2), torch.nan)
    longer = Target(
        torch.cat([truth.values, torch.ones(6, 2, 1)], dim=1),
        torch.cat([truth.valid, torch.zeros(6, 2, 1, dtype=torch.bool)], dim=1),
        torch.cat([truth.times, nan], dim=1),
    )
    torch.testing.assert_close(one.step(with_target(data, longer)), wanted)
    # Where the face's times tell nothing, nothing is known of the row.
    blind = replace(data, times={**data.times, "face": torch.zeros(6, 7)})
    arranged = Videos.of(one.model, blind).arranged(truth)
    assert not arranged.valid[0].any() and torch.equal(arranged.valid[1:], truth.valid[1:])


def test_what_has_no_windows_is_told() -> None:
    clip = model_of("early", {}, NAMES, kind="label")
    with pytest.raises(EmollamaError, match="needs task frames, not label"):
        strategy("windows", clip, {})
    other = model_of("va_fclstm", {"reference": "face"}, NAMES, kind="frames")
    with pytest.raises(
        EmollamaError, match=r"first modality, 'voice', as reference; leave reference out"
    ):
        strategy("windows", other, {})
