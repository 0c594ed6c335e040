"""HRI-EMO: alignment in time, the gate, maps."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from emollama.base.errors import EmollamaError
from emollama.fusion.alignment import reference_grid
from emollama.fusion.batch import FusionBatch
from emollama.fusion.systems.hri_emo import HriEmo, gate_entropy
from tests.fusion.systems_made import close, lacking, model_of, section, tracks_of

SMALL = {"width": 8, "heads": 2, "decoder_hidden": 16, "gate_hidden": 6}
STEP = {"voice": 0.5, "words": 0.9}


def small(*names: str) -> HriEmo:
    model = model_of("hri_emo", SMALL, names or ("voice", "words"), "labels")
    assert isinstance(model, HriEmo)
    return model


def mixture(model: HriEmo, batch: FusionBatch) -> torch.Tensor:
    tokens = model.encode(batch)
    values = {name: track.values for name, track in tokens.items()}
    return model._mix(values, tokens, reference_grid(tokens, model.order), None)


@pytest.mark.parametrize("step", [STEP, {"voice": 0.0, "words": 0.0}, {"voice": 2.0, "words": 0.4}])
def test_all_the_voice_counts_however_long_it_is(step: dict[str, float]) -> None:
    """The mixture, not the whole model: attention across modalities sees it in any case."""
    for voice, words in ((9, 3), (2, 5), (1, 4)):
        batch = tracks_of({"voice": [voice], "words": [words]}, step)
        values = batch.values["voice"].clone()
        values[0, -1] += 1
        model = small()
        before = mixture(model, batch)
        after = mixture(model, replace(batch, values={**batch.values, "voice": values}))
        assert before.shape[1] == words
        assert (before - after).abs().max() > 1e-3


def test_fused_validity_is_that_of_the_words() -> None:
    batch = tracks_of({"voice": [8, 2], "words": [10, 10]}, STEP)
    maps = small()(batch, explain=True).maps
    assert maps["valid"].all() and maps["valid"].shape == (2, 10)
    close(maps["times"][0], (torch.arange(10) + 0.5) * 0.9)
    assert (maps["decoder1"] > 0).all()


def test_maps_have_the_documented_shapes() -> None:
    batch = tracks_of({"voice": [7, 2], "words": [4, 5]}, STEP)
    maps = small()(batch, explain=True).maps
    assert {name: tuple(found.shape) for name, found in maps.items()} == {
        "beta": (2, 2, 8), "times": (2, 5), "valid": (2, 5),
        "0:voice>voice": (2, 7, 7), "0:words>words": (2, 5, 5),
        "0:voice>words": (2, 7, 5), "0:words>voice": (2, 5, 7),
        "decoder0": (2, 3, 5), "decoder1": (2, 3, 5),
        "alignment:voice": (2, 5, 7), "alignment:words": (2, 5, 5),
    }  # fmt: skip
    assert maps["decoder1"][0, :, 4].abs().max() == 0
    close(maps["alignment:voice"].sum(-1), maps["valid"].float())


def test_the_gate_weighs_what_a_row_has() -> None:
    batch = tracks_of({"voice": [7, 1, 3, 4], "words": [4, 5, 2, 2], "face": [2, 3, 4, 1]})
    batch = lacking(lacking(batch, ["words"], [2]), ["voice"], [2, 3])
    for names, columns in ((("voice", "words"), 8), (("voice", "words", "face"), 8)):
        beta = small(*names)(batch, explain=True).maps["beta"]
        assert beta.shape == (4, len(names), columns)
        assert (beta[0] > 0).all() and (beta[3, 0] == 0).all() and (beta[2, :2] == 0).all()
        close(beta.sum(dim=1)[[0, 1, 3]], torch.ones(3, columns))


def test_entropy_is_highest_where_nothing_is_chosen() -> None:
    close(gate_entropy(torch.full((1, 2, 3), 0.5)), torch.tensor(2.0).log())
    assert gate_entropy(torch.tensor([[[1.0], [0.0]]])) == 0


def test_what_it_cannot_do_is_told() -> None:
    with pytest.raises(EmollamaError, match="'voice': hri_emo does not take kind 'fbank'"):
        model_of("hri_emo", SMALL, [section("voice", kind="fbank", source="")])
    with pytest.raises(EmollamaError, match=r"task\.kind 'frames': hri_emo"):
        model_of("hri_emo", SMALL, ["voice"], "frames")
