"""The valence-arousal systems: carried state, memory, one grid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from emollama.base.errors import EmollamaError
from emollama.fusion.batch import FusionBatch, Target
from emollama.fusion.modeling import restarted
from emollama.fusion.systems.frame_model import FrameModel
from emollama.fusion.systems.va_transformer_attention import chunk_means
from emollama.fusion.tasks import loss
from tests.fusion.systems_made import (
    answers,
    assert_same,
    close,
    lacking,
    model_of,
    of_rows,
    tracks_of,
)

ENCODER = {"width": 8, "heads": 2, "layers": 2, "hidden": 16}
OPTIONS: dict[str, dict[str, Any]] = {
    "va_transformer": ENCODER,
    "va_transformer_lstm": ENCODER,
    "va_transformer_attention": {**ENCODER, "mem_avg_len": 2, "mem_entries": 3},
    "va_fclstm": {"width": 8},
}
CARRYING = ["va_transformer_lstm", "va_transformer_attention", "va_fclstm"]
STEP = {"face": 1 / 30, "voice": 1 / 50}
BOTH = {"face": [6, 6], "voice": [7, 7]}


def small(system: str, names: tuple[str, ...] = ("face", "voice"), **more: Any) -> FrameModel:
    model = model_of(system, {**OPTIONS[system], "regressor": [6], **more}, names, "frames")
    assert isinstance(model, FrameModel)
    return model


@pytest.mark.parametrize("system", OPTIONS)
def test_frames_of_one_row_touch_each_other_and_no_other_row(system: str) -> None:
    batch = tracks_of({"face": [6, 6]})
    values = batch.values["face"].clone()
    values[0, 0] += 2
    model = small(system, ("face",))
    before = answers(model, batch)
    after = answers(model, replace(batch, values={"face": values}))
    assert before[0].shape == (6, 1)
    close(after[1], before[1])
    assert ((after[0] - before[0]).abs().amax(dim=-1) > 1e-6).all()


def test_the_reference_gives_the_frames_and_an_absent_modality_zeros() -> None:
    batch = tracks_of({"face": [4, 0], "voice": [6, 3]}, STEP)
    face = small("va_transformer")
    frames, grid = face.frames(face.encode(batch))
    assert grid.valid.sum(1).tolist() == [4, 3] and frames.shape == (2, 4, 10)
    close(frames[0, :, :4], batch.values["face"][0])
    close(frames[1, :3, 4:], batch.values["voice"][1, :3])
    assert frames[1, :, :4].abs().sum() == 0
    voice = small("va_transformer", reference="voice", resampling="nearest")
    frames, grid = voice.frames(voice.encode(batch))
    assert grid.valid.sum(1).tolist() == [6, 3]
    # Steps at .01 .03 .05 .07 .09 .11 s are nearest to frames at .0167 .05 .0833 .1167 s.
    close(frames[0, :, :4], batch.values["face"][0, [0, 0, 1, 2, 2, 3]])
    close(voice(batch).times, grid.times)


def part(batch: FusionBatch, begin: int, end: int) -> FusionBatch:
    return replace(
        batch,
        values={n: v[:, begin:end] for n, v in batch.values.items()},
        valid={n: v[:, begin:end] for n, v in batch.valid.items()},
        times={n: v[:, begin:end] for n, v in batch.times.items()},
    )


@pytest.mark.parametrize("system", ["va_fclstm", "va_transformer_lstm"])
def test_two_windows_with_carried_state_are_one_long_pass(system: str) -> None:
    """Row 1 ends in the first window, row 2 begins in the second."""
    model = small(system, ("face",))
    if system == "va_transformer_lstm":
        # What is left without the layers that see one window only.
        model.encoder.layers, model.encoder.positions = torch.nn.ModuleList(), False
    batch = tracks_of({"face": [11, 3, 11]})
    batch.valid["face"][2, :6] = False
    with torch.no_grad():
        whole = model(batch)
        first = model(part(batch, 0, 5))
        second = model(part(batch, 5, 11), state=first.state)
    together = torch.cat([first.logits, second.logits], dim=1)
    close(together[whole.valid], whole.logits[whole.valid])
    for name, value in whole.state.items():
        close(second.state[name], value)


@pytest.mark.parametrize("system", CARRYING)
def test_a_reset_row_begins_anew_and_the_others_do_not(system: str) -> None:
    model, batch = small(system), tracks_of(BOTH, STEP)
    state = model(tracks_of(BOTH, STEP, seed=2)).state
    fresh, carried = of_rows(model(batch)), of_rows(model(batch, state=state))
    half = replace(batch, reset=torch.tensor([True, False]))
    mixed = of_rows(model(half, state=state))
    assert (fresh[0] - carried[0]).abs().max() > 1e-5
    assert_same(mixed, [fresh[0], carried[1]])


def test_restarted_keeps_the_kind_of_what_it_empties() -> None:
    state = {"m": torch.ones(2, 3, 4), "k": torch.ones(2, 3, dtype=torch.bool)}
    done = restarted(state, torch.tensor([False, True]))
    assert done["k"].tolist() == [[True] * 3, [False] * 3]
    assert done["m"][0].all() and not done["m"][1].any()


def test_the_memory_holds_means_of_chunks_and_forgets_the_oldest() -> None:
    values = torch.tensor([[1.0, 2, 3, 4, 5], [1, 9, 2, 9, 9]])[..., None]
    valid = torch.tensor([[1, 1, 1, 1, 1], [1, 0, 1, 0, 0]]).bool()
    means, known = chunk_means(values, valid, 2)
    assert known.tolist() == [[True, True, True], [True, False, False]]
    close(means[known][:, 0], torch.tensor([1.5, 3.5, 5, 1.5]))
    model = small("va_transformer_attention")
    batch = lacking(tracks_of({"face": [6, 3, 1], "voice": [9, 1, 4]}, STEP), ["face"], [2])
    with torch.no_grad():
        first = model(batch)
        second = model(batch, state=first.state, explain=True)
    assert first.state["memory_valid"].sum(1).tolist() == [3, 2, 2]
    assert second.state["memory_valid"].tolist() == [[True] * 3] * 3
    # The newest go in behind: row 1 keeps one of its two older entries.
    close(second.state["memory"][1, 0], first.state["memory"][1][first.state["memory_valid"][1]][1])
    assert second.maps["frames>memory"].shape == (3, 6, 3)


def test_a_window_without_a_known_frame_costs_nothing() -> None:
    """Else the concordance of an empty window would be NaN."""
    task = {"values": ["valence", "arousal"], "value_loss": "ccc"}
    model = model_of("va_transformer", ENCODER, ["face"], "frames", **task)
    batch = tracks_of({"face": [6, 3]})
    wave = torch.linspace(-1, 1, 6)
    wanted = torch.stack([wave, wave.square() - 0.5], dim=-1).expand(2, -1, -1)
    valid = batch.valid["face"][..., None].expand(-1, -1, 2)
    for known in (0, 1):
        mask = torch.zeros_like(valid)
        mask[0, :known] = True
        total = loss(model.config, model(batch), {"frames": Target(wanted, mask)})
        model.zero_grad()
        total.backward()
        assert total.item() == 0
        assert all(p.grad is None or not p.grad.any() for p in model.parameters())
    nan = torch.where(valid, wanted, torch.nan)
    assert torch.isfinite(loss(model.config, model(batch), {"frames": Target(nan, valid)}))


def test_classes_of_values_have_a_column_each() -> None:
    task = {"values": ["valence", "arousal"], "value_loss": "ce+ccc", "bins": 5}
    model = model_of("va_transformer", ENCODER, ["face"], "frames", **task)
    batch = tracks_of({"face": [6, 4]})
    output = model(batch)
    assert output.logits.shape == (2, 6, 10)
    wanted = torch.linspace(-1, 1, 6)[None, :, None].expand(2, -1, 2)
    target = Target(wanted, batch.valid["face"][..., None].expand(-1, -1, 2))
    assert torch.isfinite(loss(model.config, output, {"frames": target}))


def test_what_it_cannot_do_is_told() -> None:
    with pytest.raises(
        EmollamaError, match="reference 'faces' is not a modality; did you mean 'face'"
    ):
        small("va_transformer", reference="faces")
    with pytest.raises(EmollamaError, match=r"task\.kind 'label': va_fclstm needs frames"):
        model_of("va_fclstm", {}, ["face"], "label")
