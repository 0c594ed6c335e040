"""The valence-arousal systems: size, masks, carried state, memory, one grid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from emollama.errors import EmollamaError
from emollama.fusion.batch import FusionBatch, Target
from emollama.fusion.configuration import FusionConfig
from emollama.fusion.modeling import FusionModel, FusionOutput, restarted
from emollama.fusion.systems import SYSTEMS, fusion_system
from emollama.fusion.tasks import loss
from emollama.fusion.va_transformer_attention import chunk_means

from .tracks import (
    answers,
    batch_of,
    check_padding_and_mates,
    close,
    count,
    model_of,
    parameters_without_gradient,
    section,
)

TASK = {"task": {"kind": "frames", "values": ["valence", "arousal"], "value_loss": "ccc"}}
ENCODER = {"width": 8, "heads": 2, "layers": 2, "hidden": 16}
OPTIONS: dict[str, dict[str, Any]] = {
    "va_transformer": ENCODER,
    "va_transformer_lstm": ENCODER,
    "va_transformer_attention": {**ENCODER, "mem_avg_len": 2, "mem_entries": 3},
    "va_fclstm": {"width": 8},
}
QUIET = {"dropout": 0.0, "regressor": [6], "regressor_dropout": 0.0}
CARRYING = ["va_transformer_lstm", "va_transformer_attention", "va_fclstm"]
LENGTHS = {"face": [6, 3, 0], "audio": [9, 0, 4]}
STEP = {"face": 1 / 30, "audio": 1 / 50}


def small(system: str, names: tuple[str, ...] = ("face", "audio"), **more: Any) -> FusionModel:
    options = {**OPTIONS[system], **QUIET, **more}
    return model_of(system, [section(n) for n in names], options, **TASK)


@pytest.mark.parametrize(
    ("system", "parameters"),
    [
        # The originals' unused linear (65,792) and fixed positions (131,072) are not there.
        ("va_transformer", 3_476_224 + 132_098),
        ("va_transformer_lstm", 4_331_522 - 65_792 - 131_072),
        ("va_transformer_attention", 4_068_354 - 65_792 - 131_072),
        ("va_fclstm", 3_130_114),
    ],
)
def test_parameters_are_the_original_ones_that_are_used(system: str, parameters: int) -> None:
    config_class, model_class = fusion_system(system)
    with torch.device("meta"):
        model = model_class(config_class(modalities=[section("face", 1238)], **TASK))
        assert count(model) == parameters


@pytest.mark.parametrize("system", OPTIONS)
def test_padding_and_batch_mates_change_nothing(system: str) -> None:
    check_padding_and_mates(small(system), batch_of(LENGTHS, step=STEP))


@pytest.mark.parametrize("system", OPTIONS)
def test_frames_of_one_row_touch_each_other_and_no_other_row(system: str) -> None:
    batch = batch_of({"face": [6, 6]})
    values = batch.values["face"].clone()
    values[0, 0] += 2
    model = small(system, ("face",))
    with torch.no_grad():
        before = answers(model(batch))
        after = answers(model(replace(batch, values={"face": values})))
        turned = replace(batch, values={"face": batch.values["face"].flip(0)})
        close(answers(model(turned)), before.flip(0))
    assert before.shape == (2, 6, 2)
    close(after[1], before[1])
    assert ((after[0] - before[0]).abs().amax(dim=-1) > 1e-6).all()


def test_the_reference_gives_the_frames_and_an_absent_modality_zeros() -> None:
    batch = batch_of({"face": [4, 0], "audio": [6, 3]}, step=STEP)
    face = small("va_transformer")
    frames, grid = face.frames(face.encode(batch))
    assert grid.valid.sum(1).tolist() == [4, 3] and frames.shape == (2, 4, 10)
    close(frames[0, :, :5], batch.values["face"][0])
    close(frames[1, :3, 5:], batch.values["audio"][1, :3])
    assert frames[1, :, :5].abs().sum() == 0
    audio = small("va_transformer", reference="audio", resampling="nearest")
    frames, grid = audio.frames(audio.encode(batch))
    assert grid.valid.sum(1).tolist() == [6, 3]
    # Steps at .01 .03 .05 .07 .09 .11 s are nearest to frames at .0167 .05 .0833 .1167 s.
    close(frames[0, :, :5], batch.values["face"][0, [0, 0, 1, 2, 2, 3]])
    with torch.no_grad():
        left_out = face(batch, only=["audio"])
        none = face(batch.without(["face"]))
    close(answers(left_out), answers(none))


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
    batch = batch_of({"face": [11, 3, 11]})
    batch.valid["face"][2, :6] = False
    with torch.no_grad():
        whole = model(batch)
        first = model(part(batch, 0, 5))
        second = model(part(batch, 5, 11), state=first.state)
    together = torch.cat([answers(first), answers(second)], dim=1)
    close(together[whole.valid], answers(whole)[whole.valid])
    for name, value in whole.state.items():
        close(second.state[name], value)


@pytest.mark.parametrize("system", CARRYING)
def test_a_reset_row_begins_anew_and_the_others_do_not(system: str) -> None:
    model, batch = small(system), batch_of({"face": [6, 6], "audio": [7, 7]}, step=STEP)
    with torch.no_grad():
        state = model(batch_of({"face": [6, 6], "audio": [7, 7]}, step=STEP, seed=2)).state
        fresh, carried = model(batch), model(batch, state=state)
        mixed = model(replace(batch, reset=torch.tensor([True, False])), state=state)
    assert (answers(fresh) - answers(carried)).abs().max() > 1e-5
    close(answers(mixed)[0], answers(fresh)[0])
    close(answers(mixed)[1], answers(carried)[1])
    assert all(v.shape[0] == 2 for v in mixed.state.values())


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
    model, batch = small("va_transformer_attention"), batch_of(LENGTHS, step=STEP)
    with torch.no_grad():
        first = model(batch)
        second = model(batch, state=first.state, explain=True)
    assert first.state["memory_valid"].sum(1).tolist() == [3, 2, 2]
    assert second.state["memory_valid"].tolist() == [[True] * 3] * 3
    # The newest go in behind: row 1 keeps one of its two older entries.
    close(second.state["memory"][1, 0], first.state["memory"][1][first.state["memory_valid"][1]][1])
    assert second.maps["memory"].shape == (3, 6, 3)


def windows(model: FusionModel, batch: FusionBatch) -> FusionOutput:
    """The second of two windows, its state carried."""
    return model(batch, state=model(batch).state)


def frame_targets(batch: FusionBatch) -> dict[str, Target]:
    valid = batch.valid["face"] | batch.valid["audio"][:, :6]
    wave = torch.linspace(-1, 1, valid.shape[1])
    wanted = torch.stack([wave, wave.square() - 0.5], dim=-1).expand(len(batch), -1, -1)
    return {"frames": Target(wanted, valid[..., None].expand(-1, -1, 2))}


@pytest.mark.parametrize("system", OPTIONS)
def test_every_parameter_learns_and_a_repeated_batch_is_learned(system: str) -> None:
    batch = batch_of({"face": [6, 3], "audio": [9, 4]}, step=STEP)
    model = small(system)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(25):
        optimizer.zero_grad()
        output = windows(model, batch) if system in CARRYING else model(batch)
        total = loss(model.config, output, frame_targets(batch))
        total.backward()
        if not losses:
            assert parameters_without_gradient(model) == []
        optimizer.step()
        losses.append(total.item())
    assert losses[-1] < losses[0] / 2


def test_a_window_without_a_known_frame_costs_nothing() -> None:
    """Else the concordance of an empty window would be NaN."""
    model, batch = small("va_transformer"), batch_of(LENGTHS, step=STEP)
    targets = frame_targets(batch)["frames"]
    for known in (0, 1):
        mask = torch.zeros_like(targets.valid)
        mask[0, :known] = True
        total = loss(model.config, model(batch), {"frames": Target(targets.values, mask)})
        model.zero_grad()
        total.backward()
        assert total.item() == 0
        assert all(p.grad is None or not p.grad.any() for p in model.parameters())
    nan = torch.where(targets.valid, targets.values, torch.nan)
    some = loss(model.config, model(batch), {"frames": Target(nan, targets.valid)})
    assert torch.isfinite(some)


def test_classes_of_values_have_a_column_each() -> None:
    task = {"kind": "frames", "values": ["valence", "arousal"], "value_loss": "ce+ccc", "bins": 5}
    model = model_of("va_transformer", [section("face")], {**ENCODER, **QUIET}, task=task)
    batch = batch_of({"face": [6, 4]})
    output = model(batch)
    assert answers(output).shape == (2, 6, 10)
    wanted = torch.linspace(-1, 1, 6)[None, :, None].expand(2, -1, 2)
    target = Target(wanted, batch.valid["face"][..., None].expand(-1, -1, 2))
    assert torch.isfinite(loss(model.config, output, {"frames": target}))


@pytest.mark.parametrize("system", OPTIONS)
def test_saved_and_loaded(system: str, tmp_path: Path) -> None:
    batch, model = batch_of(LENGTHS, step=STEP), small(system)
    model.save_pretrained(tmp_path)
    again = SYSTEMS[system].from_pretrained(tmp_path).eval()
    with torch.no_grad():
        close(answers(again(batch)), answers(model(batch)))


def test_what_it_cannot_do_is_told() -> None:
    with pytest.raises(
        EmollamaError, match="reference 'faces' is no modality; did you mean 'face'"
    ):
        small("va_transformer", reference="faces")
    with pytest.raises(EmollamaError, match="divide among the heads"):
        small("va_transformer", heads=3)
    config: type[FusionConfig] = fusion_system("va_fclstm")[0]
    with pytest.raises(EmollamaError, match=r"task\.kind 'label': va_fclstm needs frames"):
        SYSTEMS["va_fclstm"](config(modalities=[section("face")], labels=["a"]))
