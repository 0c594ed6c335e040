"""AMST: heads, raw pictures and sound, and what a modality alone says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from emollama.base.errors import EmollamaError
from emollama.fusion.batch import FusionBatch, Target
from emollama.fusion.configuration import ModalitySection
from emollama.fusion.modeling import FusionModel
from emollama.fusion.systems.amst import PictureEncoder
from emollama.fusion.systems.resnet import ResNet18
from emollama.fusion.tasks import loss
from tests.fusion.systems_made import (
    answers,
    assert_same,
    close,
    lacking,
    model_of,
    padded,
    rows_of,
    section,
    tracks_of,
    without_gradient,
)

HEADS = ("msum", "concat", "lsum")
LENGTHS = {"voice": [4, 1, 3], "words": [2, 3, 5]}


def small(**options: Any) -> FusionModel:
    return model_of("amst", {"width": 6, **options}, list(LENGTHS), "label")


def raw(**options: Any) -> FusionModel:
    sections = [section(n, kind=k, source="") for n, k in (("voice", "fbank"), ("face", "frames"))]
    return model_of("amst", {"fbank_frames": 32, **options}, sections, "label")


def raw_batch(voice: list[int], face: list[int]) -> FusionBatch:
    batch = tracks_of({"voice": voice, "face": face})
    drawn = torch.Generator().manual_seed(3)
    return replace(
        batch,
        values={
            "voice": torch.randn(*batch.valid["voice"].shape, 128, generator=drawn),
            "face": torch.randn(*batch.valid["face"].shape, 3, 32, 32, generator=drawn),
        },
    )


def test_padding_and_batch_mates_change_nothing_of_raw_media() -> None:
    model, batch = raw(), raw_batch([9, 32, 0], [2, 0, 1])
    wanted = answers(model, batch)
    assert_same(answers(model, padded(batch, 0, 2)), wanted)
    assert_same([answers(model, rows_of(batch, [i]))[0] for i in range(3)], wanted)


@pytest.mark.parametrize("head", HEADS)
def test_the_whole_is_made_of_what_each_modality_says(head: str) -> None:
    model = small(head=head)
    batch = lacking(tracks_of(LENGTHS), ["voice"], [2])
    if model.bias is not None:
        torch.nn.init.normal_(model.bias)
    tokens = model.encode(batch)
    each = model.unimodal_logits(tokens)
    whole = model.fuse(tokens, explain=True)
    total = each["voice"] + each["words"]
    if head == "msum":
        total = total / torch.tensor([[2.0], [2], [1]])
    close(whole.logits, total)
    assert each["voice"][2].abs().sum() == 0
    close(whole.maps["unimodal"][:, 1], each["words"])
    close(whole.features[:, 6:], tokens["words"].values[:, 0])
    # A modality alone is what its own logits say.
    close(model(batch, only=["words"]).logits, each["words"])


def test_the_joint_layer_in_slices_is_the_joint_layer() -> None:
    model, batch = small(head="concat"), tracks_of(LENGTHS)
    torch.nn.init.normal_(model.bias)
    output = model(batch)
    weight = torch.cat([model.output[n].weight for n in LENGTHS], dim=1)
    close(output.logits, output.features @ weight.T + model.bias)


def test_frames_that_are_not_there_are_not_counted_by_batch_norm() -> None:
    batch = raw_batch([9, 5], [2, 1])
    statistics = []
    for given in (batch, padded(batch, 0, 2)):
        model = raw().train()
        model(given)
        statistics.append({n: b.clone() for n, b in model.named_buffers() if "running" in n})
    for name, value in statistics[0].items():
        close(statistics[1][name], value)


def test_a_skipped_encoder_is_not_touched() -> None:
    model = raw().train()
    before = {n: b.clone() for n, b in model.encoders["face"].state_dict().items()}
    model(raw_batch([9, 5], [2, 1]), only=["voice"]).logits.sum().backward()
    for name, value in model.encoders["face"].state_dict().items():
        assert torch.equal(before[name], value)
    assert all(p.grad is None for p in model.parameters_of("face"))


def test_longer_sound_is_cut_and_shorter_stands_before_zeros() -> None:
    model, batch = raw(), raw_batch([40, 7], [1, 1])
    values = batch.values["voice"].clone()
    values[0, 32:] = 9
    zeros = torch.zeros(2, 32, 128)
    zeros[0], zeros[1, :7] = values[0, :32], values[1, :7]
    whole = torch.ones(2, 32, dtype=torch.bool)
    given = replace(
        batch,
        values={**batch.values, "voice": zeros},
        valid={**batch.valid, "voice": whole},
        times={**batch.times, "voice": torch.zeros(2, 32)},
    )
    cut = answers(model, replace(batch, values={**batch.values, "voice": values}), only=["voice"])
    assert_same(cut, answers(model, given, only=["voice"]))


def test_the_resnets_learn() -> None:
    model, batch = raw(width=16).train(), raw_batch([9, 5, 8], [2, 1, 1])
    targets = {"label": Target(torch.tensor([0, 1, 2]), torch.ones(3, dtype=torch.bool))}
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(5):
        optimiser.zero_grad()
        total = loss(model.config, model(batch), targets)
        total.backward()
        if not losses:
            assert not without_gradient(model)
        optimiser.step()
        losses.append(total.item())
    assert losses[-1] < losses[0] / 2


def test_a_shared_head_needs_one_width() -> None:
    with pytest.raises(EmollamaError, match="'voice' is 6 wide and 'words' 5; set track_encoder"):
        small(track_encoder="identity")


def test_one_picture_of_the_least_side_is_enough_to_learn_from() -> None:
    """Batch norm wants more than one value of each channel, also where the picture is smallest."""
    side = next(m.ge for m in ModalitySection.model_fields["side"].metadata if hasattr(m, "ge"))
    encoder = PictureEncoder(ResNet18(3, 8), 8).train()
    found = encoder(torch.rand(1, 1, 3, side, side), torch.ones(1, 1, dtype=torch.bool))
    assert found.shape == (1, 8) and found.isfinite().all()
