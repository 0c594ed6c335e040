"""HRI-EMO: size, masks, alignment in time, the gate, maps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from emollama.errors import EmollamaError
from emollama.fusion.batch import FusionBatch, Target
from emollama.fusion.hri_emo import Gate, HriEmo, HriEmoConfig, gate_entropy
from emollama.fusion.modeling import FusionModel
from emollama.fusion.tasks import loss

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

SMALL = {"width": 8, "heads": 2, "decoder_hidden": 16, "gate_hidden": 6, "dropout": 0.0}
TASK = {"labels": ["happy", "sad", "angry"], "task": {"kind": "labels"}}
BOTH = ("audio", "text")
LENGTHS = {"audio": [7, 1, 3, 0], "text": [4, 5, 0, 2]}
STEP = {"audio": 0.5, "text": 0.9}


def small(names: tuple[str, ...] = BOTH, **options: object) -> FusionModel:
    return model_of("hri_emo", [section(n) for n in names], {**SMALL, **options}, **TASK)


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        ({}, 5_445_697),
        ({"encoder_layers": 2, "gate_hidden": 128}, 7_634_561),
        ({"width": 384, "heads": 6, "encoder_layers": 2, "gate_hidden": 256}, 15_627_777),
    ],
)
def test_parameters_are_those_of_the_original(options: dict[str, object], parameters: int) -> None:
    with torch.device("meta"):
        config = HriEmoConfig(
            modalities=[section("audio", 74), section("text", 300)],
            labels=list("abcdef"),
            task={"kind": "labels"},
            options=options,
        )
        assert count(HriEmo(config)) == parameters
        assert count(Gate(BOTH, 256, 64, scalar=False)) == 83_264
        assert count(Gate(BOTH, 768, 256, scalar=True)) == 786_945


@pytest.mark.parametrize("names", [("audio",), BOTH, ("face", "audio", "text")])
def test_padding_and_batch_mates_change_nothing(names: tuple[str, ...]) -> None:
    lengths = {"face": [2, 0, 4, 1], **LENGTHS}
    batch = batch_of({n: lengths[n] for n in names}, step={"face": 0.7, **STEP})
    check_padding_and_mates(small(names), batch)
    check_padding_and_mates(small(names, gate="scalar", encoder_layers=2), batch)


def test_a_modality_left_out_is_one_that_no_row_has() -> None:
    model, batch = small(), batch_of(LENGTHS, step=STEP)
    with torch.no_grad():
        close(answers(model(batch, only=["text"])), answers(model(batch.without(["audio"]))))
        close(answers(model(batch, only=["audio"])), answers(model(batch.without(["text"]))))
        beta = model(batch, explain=True).maps["beta"]
    assert (beta[0] > 0).all() and (beta[2, 1] == 0).all() and (beta[3, 0] == 0).all()
    close(beta.sum(dim=1), torch.ones(4, 8))


@pytest.mark.parametrize("step", [STEP, {}, {"audio": 2.0, "text": 0.4}])
def test_all_the_audio_counts_however_long_it_is(step: dict[str, float]) -> None:
    for audio, text in ((9, 3), (2, 5), (1, 4)):
        batch = batch_of({"audio": [audio], "text": [text]}, step=step)
        values = batch.values["audio"].clone()
        values[0, -1] += 1
        model = small()
        # The mixture, not the whole model: attention across modalities would see it in any case.
        steps = [
            model._mix({n: t.values for n, t in tokens.items()}, tokens, _grid(model, tokens), None)
            for tokens in (
                model.encode(batch),
                model.encode(replace(batch, values={**batch.values, "audio": values})),
            )
        ]
        assert steps[0].shape[1] == text
        assert (steps[0] - steps[1]).abs().max() > 1e-3


def _grid(model, tokens):  # type: ignore[no-untyped-def]
    from emollama.fusion.alignment import reference_grid

    return reference_grid(tokens, model.order)


def test_fused_validity_is_that_of_the_words() -> None:
    batch = batch_of({"audio": [8, 2], "text": [10, 10]}, step=STEP)
    maps = small()(batch, explain=True).maps
    assert maps["valid"].all() and maps["valid"].shape == (2, 10)
    assert (maps["decoder1"] > 0).all()


def test_maps_have_the_documented_shapes_and_sum_to_one() -> None:
    batch = batch_of({"audio": [7, 2], "text": [4, 5]}, step=STEP)
    output = small()(batch, explain=True)
    shapes = {name: tuple(m.shape) for name, m in output.maps.items()}
    assert shapes == {
        "beta": (2, 2, 8), "times": (2, 5), "valid": (2, 5),
        "layer0_audio_self": (2, 7, 7), "layer0_text_self": (2, 5, 5),
        "layer0_audio_queries_text": (2, 7, 5), "layer0_text_queries_audio": (2, 5, 7),
        "decoder0": (2, 3, 5), "decoder1": (2, 3, 5),
        "alignment_audio": (2, 5, 7), "alignment_text": (2, 5, 5),
    }  # fmt: skip
    for name in ("layer0_audio_queries_text", "decoder1", "layer0_text_self"):
        close(output.maps[name].sum(-1), torch.ones_like(output.maps[name].sum(-1)))
    assert output.maps["decoder1"][0, :, 4].abs().max() == 0
    assert small()(batch).maps is None
    three = small(("face", "audio", "text"))
    found = three(batch_of({"face": [3], **{"audio": [7], "text": [4]}}), explain=True).maps
    across = found["layer0_text_queries_audio"].sum(-1) + found["layer0_text_queries_face"].sum(-1)
    close(across, torch.ones(1, 4))


def labelled(batch: FusionBatch) -> dict[str, Target]:
    wanted = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 1, 1], [1, 0, 1]])
    return {"labels": Target(wanted, torch.ones_like(wanted, dtype=torch.bool))}


@pytest.mark.parametrize("names", [("audio",), BOTH, ("face", "audio", "text")])
def test_every_parameter_learns_and_a_repeated_batch_is_learned(names: tuple[str, ...]) -> None:
    lengths = {"face": [2, 3, 4, 1], "audio": [7, 1, 3, 2], "text": [4, 5, 3, 2]}
    batch = batch_of({n: lengths[n] for n in names}, step=STEP)
    model = small(names, entropy_weight=1e-3)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        total = loss(model.config, model(batch), labelled(batch))
        total.backward()
        if not losses:
            assert parameters_without_gradient(model) == []
        optimizer.step()
        losses.append(total.item())
    assert losses[-1] < losses[0] / 2


def test_gradients_stay_finite_with_empty_rows() -> None:
    batch = batch_of({"audio": [3, 0, 0], "text": [2, 4, 0]}, step=STEP)
    model = small(entropy_weight=0.1)
    output = model(batch)
    (answers(output).square().sum() + output.auxiliary).backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_entropy_is_highest_where_nothing_is_chosen() -> None:
    close(gate_entropy(torch.full((1, 2, 3), 0.5)), torch.tensor(2.0).log())
    assert gate_entropy(torch.tensor([[[1.0], [0.0]]])) == 0


def test_saved_and_loaded(tmp_path: Path) -> None:
    batch = batch_of(LENGTHS, step=STEP)
    model = small()
    model.standardisers["audio"].set(torch.ones(5), torch.full((5,), 2.0))
    model.save_pretrained(tmp_path)
    again = HriEmo.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        close(answers(again(batch)), answers(model(batch)))


def test_what_it_cannot_do_is_told() -> None:
    with pytest.raises(EmollamaError, match="hri_emo: width 8 cannot be divided among 3 heads"):
        small(heads=3)
    with pytest.raises(EmollamaError, match="'audio': hri_emo does not take kind 'waveform'"):
        model_of("hri_emo", [section("audio", kind="waveform")], SMALL, **TASK)
    frames = {"task": {"kind": "frames", "values": ["valence"]}}
    with pytest.raises(EmollamaError, match=r"task\.kind 'frames': hri_emo"):
        model_of("hri_emo", [section("audio")], SMALL, **frames)
