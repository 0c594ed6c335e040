"""AMST: heads, ResNet-18, and what a modality alone says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from emollama.errors import EmollamaError
from emollama.fusion.amst import Amst
from emollama.fusion.batch import FusionBatch, Target
from emollama.fusion.modeling import FusionModel
from emollama.fusion.resnet import ResNet18
from emollama.fusion.systems import fusion_system
from emollama.fusion.tasks import loss

from .tracks import (
    answers,
    batch_of,
    check_padding_and_mates,
    close,
    count,
    model_of,
    padded,
    parameters_without_gradient,
    section,
)

HEADS = ("msum", "concat", "lsum")
TASK = {"labels": ["a", "b", "c"]}
LENGTHS = {"audio": [4, 1, 0], "text": [2, 3, 5]}


def small(**options: Any) -> FusionModel:
    return model_of("amst", [section("audio"), section("text")], {"width": 6, **options}, **TASK)


def raw(**options: Any) -> FusionModel:
    sections = [section("audio", kind="fbank"), section("face", kind="frames")]
    return model_of("amst", sections, {"fbank_frames": 32, "width": 512, **options}, **TASK)


def raw_batch(audio: list[int], face: list[int]) -> FusionBatch:
    batch = batch_of({"audio": audio}, width=128)
    pictures = torch.randn(len(face), max(*face, 1), 3, 32, 32, generator=torch.manual_seed(3))
    valid = torch.arange(pictures.shape[1]) < torch.tensor(face)[:, None]
    return FusionBatch(
        batch.ids,
        {**batch.values, "face": pictures},
        {**batch.valid, "face": valid},
        {**batch.times, "face": torch.zeros(valid.shape)},
    )


@pytest.mark.parametrize(
    ("channels", "width", "parameters"),
    [(3, 512, 11_176_512), (1, 512, 11_170_240), (3, 768, 11_569_728), (1, 768, 11_563_456)],
)
def test_resnet_has_the_published_size(channels: int, width: int, parameters: int) -> None:
    with torch.device("meta"):
        assert count(ResNet18(channels, width)) == parameters


@pytest.mark.parametrize(
    ("head", "total"), [("concat", 22_359_058), ("msum", 22_355_986), ("lsum", 22_359_064)]
)
def test_parameters_are_those_of_the_original_on_crema_d(head: str, total: int) -> None:
    """Less its probes, linear layers beside the model that only diagnose it."""
    config_class, model_class = fusion_system("amst")
    sections = [section("audio", kind="fbank"), section("face", kind="frames")]
    with torch.device("meta"):
        config = config_class(modalities=sections, labels=list("abcdef"), options={"head": head})
        assert count(model_class(config)) == total - 2 * (512 * 6 + 6)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("encoder", ["linear", "mlp", "identity"])
def test_padding_and_batch_mates_change_nothing(head: str, encoder: str) -> None:
    check_padding_and_mates(small(head=head, track_encoder=encoder), batch_of(LENGTHS))


def test_padding_and_batch_mates_change_nothing_of_raw_media() -> None:
    check_padding_and_mates(raw(), raw_batch([9, 32, 0], [2, 0, 1]))


@pytest.mark.parametrize("head", HEADS)
def test_the_whole_is_made_of_what_each_modality_says(head: str) -> None:
    model, batch = small(head=head), batch_of(LENGTHS)
    if model.bias is not None:
        torch.nn.init.normal_(model.bias)
    tokens = model.encode(batch)
    each = model.unimodal_logits(tokens)
    whole = model.fuse(tokens, explain=True)
    total = each["audio"] + each["text"]
    if head == "msum":
        total = total / torch.tensor([[2.0], [2], [1]])
    close(answers(whole), total)
    assert each["audio"][2].abs().sum() == 0
    close(whole.maps["unimodal"][:, 1], each["text"])
    close(whole.features[:, 6:], tokens["text"].values[:, 0])
    # A modality alone is what its own logits say.
    close(answers(model(batch, only=["text"])), each["text"])


def test_the_joint_layer_in_slices_is_the_joint_layer() -> None:
    model, batch = small(head="concat"), batch_of({"audio": [4, 1], "text": [2, 3]})
    torch.nn.init.normal_(model.bias)
    output = model(batch)
    weight = torch.cat([model.output[n].weight for n in ("audio", "text")], dim=1)
    close(answers(output), output.features @ weight.T + model.bias)


def test_frames_that_are_not_there_are_not_counted_by_batch_norm() -> None:
    batch = raw_batch([9, 5], [2, 1])
    statistics = []
    for given in (batch, padded(batch)):
        model = raw().train()
        model(given)
        statistics.append({n: b.clone() for n, b in model.named_buffers() if "running" in n})
    for name, value in statistics[0].items():
        close(statistics[1][name], value)


def test_a_skipped_encoder_is_not_touched() -> None:
    model = raw().train()
    before = {n: b.clone() for n, b in model.encoders["face"].state_dict().items()}
    answers(model(raw_batch([9, 5], [2, 1]), only=["audio"])).sum().backward()
    for name, value in model.encoders["face"].state_dict().items():
        assert torch.equal(before[name], value)
    assert all(p.grad is None for p in model.parameters_of("face"))


def test_longer_sound_is_cut_and_shorter_stands_before_zeros() -> None:
    model = raw()
    batch = raw_batch([40, 7], [1, 1])
    values = batch.values["audio"].clone()
    values[0, 32:] = 9
    zeros = torch.zeros(2, 32, 128)
    zeros[0], zeros[1, :7] = values[0, :32], values[1, :7]
    given = replace(batch, values={**batch.values, "audio": zeros},
                    valid={**batch.valid, "audio": torch.ones(2, 32).bool()},
                    times={**batch.times, "audio": torch.zeros(2, 32)})  # fmt: skip
    with torch.no_grad():
        cut = model(replace(batch, values={**batch.values, "audio": values}), only=["audio"])
        close(answers(cut), answers(model(given, only=["audio"])))


TARGETS = {"label": Target(torch.tensor([0, 1, 2]), torch.ones(3, dtype=torch.bool))}


def learns(model: FusionModel, batch: FusionBatch, steps: int, lr: float) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        total = loss(model.config, model(batch), TARGETS)
        total.backward()
        if not losses:
            assert parameters_without_gradient(model) == []
        optimizer.step()
        losses.append(total.item())
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize("head", HEADS)
def test_every_parameter_learns_and_a_repeated_batch_is_learned(head: str) -> None:
    learns(small(head=head), batch_of(LENGTHS), 30, 3e-2)


def test_every_parameter_of_the_resnets_learns() -> None:
    learns(raw(width=16).train(), raw_batch([9, 5, 8], [2, 1, 1]), 5, 1e-3)


def test_saved_and_loaded(tmp_path: Path) -> None:
    batch, model = batch_of(LENGTHS), small(head="concat")
    torch.nn.init.normal_(model.bias)
    model.save_pretrained(tmp_path)
    with torch.no_grad():
        close(answers(Amst.from_pretrained(tmp_path).eval()(batch)), answers(model(batch)))


def test_what_it_cannot_do_is_told() -> None:
    sections = [section("audio", 5), section("text", 7)]
    with pytest.raises(EmollamaError, match="'audio' is 5 wide and 'text' 7; use track_encoder"):
        model_of("amst", sections, {"track_encoder": "identity"}, **TASK)
    model_of("amst", sections, {"track_encoder": "identity", "head": "concat"}, **TASK)
    with pytest.raises(EmollamaError, match="'text': amst does not take kind 'tokens'"):
        model_of("amst", [section("text", kind="tokens")], {}, **TASK)
