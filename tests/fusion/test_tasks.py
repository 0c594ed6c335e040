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
    frames = torch.tensor([[0.5, 1.0, 3.0, 9.0], [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, torch.nan]])
    output = FusionOutput(
        logits=torch.tensor([[10.0, 20, 40], [1, 2, 3], [7, 8, 9]])[..., None],
        valid=torch.tensor([[True, True, True], [True, True, False], [True, True, True]]),
        times=torch.tensor([[0.0, 1, 2], [1, 2, 0], [0, 0, 0]]),
    )
    logits, valid = on_frames(output, 4, frames)
    close(logits[0, :, 0], torch.tensor([15.0, 20, 40, 40]))
    assert valid[0].all()
    # A row on the frames themselves is as it was, also in what is not answered.
    close(logits[1, :2, 0], torch.tensor([1.0, 2]))
    assert valid[1].tolist() == [True, True, False, False]
    # Without times of its own a row says nothing of other frames.
    assert not valid[2].any()
    plain, known = on_frames(output, 2)
    close(plain, output.logits[:, :2])
    assert known.all()


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
