"""Answers over time on the frames of their targets."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from emollama.fusion.batch import FusionBatch, Target
from emollama.fusion.modeling import FusionOutput
from emollama.fusion.tasks import loss, on_frames
from tests.fusion.systems_made import close, model_of, of_rows, padded, tracks_of

STEP = {"face": 0.04, "voice": 0.02}


def with_targets(timed: bool) -> FusionBatch:
    """Face of 5 and 3 frames, voice of twice as many steps; targets on the face's frames."""
    batch = tracks_of({"face": [5, 3], "voice": [10, 6]}, STEP)
    values = torch.linspace(-1, 1, 10).reshape(2, 5, 1)
    times = batch.times["face"] if timed else None
    return replace(batch, targets={"frames": Target(values, batch.valid["face"][..., None], times)})


def test_answers_at_other_times_go_in_straight_lines() -> None:
    nan = torch.nan
    frames = torch.tensor([[0.5, 1, 3, 9], [1, 2, 3, 4], [1, 2, 3, nan], [1, 2, 3, 4]])
    lengths = torch.tensor([3, 2, 3, 1])
    output = FusionOutput(
        logits=torch.tensor([[10.0, 20, 40], [1, 2, 3], [7, 8, 9], [5, 0, 0]])[..., None],
        valid=torch.arange(3) < lengths[:, None],
        times=torch.tensor([[0.0, 1, 2], [1, 2, 0], [0, 0, 0], [1, 0, 0]]),
    )
    asked = torch.ones(4, 4, dtype=torch.bool)
    asked[1, 2:] = False
    logits, valid = on_frames(output, asked, frames)
    close(logits[0, :, 0], torch.tensor([15.0, 20, 40, 40]))
    assert valid[0].all()
    # A row on the frames themselves is as it was, also in what is not answered.
    close(logits[1, :2, 0], torch.tensor([1.0, 2]))
    assert valid[1].tolist() == [True, True, False, False]
    # Without times of its own a row says nothing of other frames.
    assert not valid[2].any()
    # A single step is held, also where its time is that of a frame.
    close(logits[3, :, 0], torch.full((4,), 5.0))
    assert valid[3].all()
    plain, known = on_frames(output, asked[:, :2])
    close(plain, output.logits[:, :2])
    assert torch.equal(known, output.valid[:, :2])


@pytest.mark.parametrize("timed", [True, False])
def test_a_row_without_the_reference_is_compared_by_time(timed: bool) -> None:
    batch = with_targets(timed)
    options = {"width": 8, "heads": 2, "layers": 1, "hidden": 16}
    model = model_of("va_transformer", options, ["face", "voice"], "frames")
    blind = batch.without(["face"])
    output = model(blind)
    assert output.logits.shape[1] == 10
    total = loss(model.config, output, batch.targets)
    # The voice's steps are .01 .03 .05 ..., the frames .02 .06 .10 ...: halfway between two.
    answered = of_rows(output)
    if timed:
        wanted = [(row[0::2] + row[1::2]) / 2 for row in answered]
    else:
        wanted = [row[:length] for row, length in zip(answered, (5, 3), strict=True)]
    truth = batch.targets["frames"]
    told = truth.values[truth.valid[..., 0]]
    close(total, (torch.cat(wanted) - told).square().mean())
    if timed:
        close(loss(model.config, model(padded(blind, 2, 3)), batch.targets), total)
    whole = model(batch)
    close(
        loss(model.config, whole, batch.targets), (torch.cat(of_rows(whole)) - told).square().mean()
    )
