"""Encoders trained with the fusion: real classes of transformers, two layers, random weights."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModel,
    HubertConfig,
    HubertModel,
    RobertaConfig,
    RobertaModel,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Model,
    WavLMConfig,
    WavLMModel,
)

from emollama.base.errors import EmollamaError
from emollama.fusion.batch import FusionBatch
from emollama.fusion.configuration import FusionConfig, ModalitySection
from emollama.fusion.modeling import FusionModel
from emollama.fusion.systems.table import SYSTEMS, fusion_system
from emollama.fusion.tasks import loss
from emollama.fusion.trainable import TrainableEncoder
from tests.fusion.systems_made import answers, assert_same, batch_of, lacking, padded, rows_of

PIECE = 40  # samples
PIECES = (12, 5, 9, 20, 1, 14)
TOKENS = (7, 3, 9, 1, 5, 2)
SMALL: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
}
SPEECH: dict[str, Any] = {
    **SMALL,
    "conv_dim": (8, 8),
    "conv_kernel": (10, 3),
    "conv_stride": (5, 2),
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}
FAMILIES: dict[str, Callable[[], Any]] = {
    "wav2vec2-group": lambda: Wav2Vec2Model(Wav2Vec2Config(**SPEECH)),
    "wav2vec2-layer": lambda: Wav2Vec2Model(
        Wav2Vec2Config(**SPEECH, feat_extract_norm="layer", do_stable_layer_norm=True)
    ),
    "hubert": lambda: HubertModel(HubertConfig(**SPEECH)),
    "wavlm": lambda: WavLMModel(WavLMConfig(**SPEECH)),
}


def saved_speech(folder: Path, family: str = "wav2vec2-group", normalise: bool = True) -> Path:
    torch.manual_seed(1)
    FAMILIES[family]().save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=normalise).save_pretrained(folder)
    return folder


def saved_text(folder: Path) -> Path:
    torch.manual_seed(2)
    config = RobertaConfig(
        **SMALL, vocab_size=30, max_position_embeddings=14, pad_token_id=1, type_vocab_size=1
    )
    RobertaModel(config).save_pretrained(folder)
    return folder


def section(kind: str, folder: Path, **more: Any) -> ModalitySection:
    name = "voice" if kind == "waveform" else "words"
    return ModalitySection.model_validate(
        {"name": name, "channel": name, "kind": kind, "source": str(folder), **more}
    )


def raw_batch() -> FusionBatch:
    made = torch.Generator().manual_seed(5)
    pieces, tokens = torch.tensor(PIECES), torch.tensor(TOKENS)
    spoken = torch.arange(max(PIECES)) < pieces[:, None]
    written = torch.arange(max(TOKENS)) < tokens[:, None]
    sound = torch.randn(6, max(PIECES), PIECE, generator=made) * 0.1 + 0.05
    ids = torch.randint(3, 30, (6, max(TOKENS)), generator=made)
    centres = (torch.arange(max(PIECES)) + 0.5) * PIECE / 16000
    return replace(
        batch_of(),
        values={"voice": sound, "words": ids},
        valid={"voice": spoken, "words": written},
        times={"voice": centres.repeat(6, 1), "words": torch.zeros(ids.shape)},
    )


_FUSED = {"width": 16, "heads": 2}
_LABEL_AND_VALUE = {"kind": "label+values", "values": ["valence"]}
_FRAMES = {"kind": "frames", "values": ["valence"]}


def raw_config(
    folder: Path,
    system: str = "fine_grained",
    options: dict[str, Any] = _FUSED,
    task: dict[str, Any] = _LABEL_AND_VALUE,
    **more: Any,
) -> FusionConfig:
    return fusion_system(system)[0](
        modalities=[
            section("waveform", saved_speech(folder / "speech"), **more).model_dump(),
            section("tokens", saved_text(folder / "text"), **more).model_dump(),
        ],
        labels=[] if task is _FRAMES else ["happy", "neutral", "sad"],
        task=task,
        options=options,
    )


def fusion(folder: Path, system: str = "fine_grained", **more: Any) -> FusionModel:
    config = raw_config(folder, system, **more)
    torch.manual_seed(0)
    return SYSTEMS[system](config).eval()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("normalise", [True, False])
def test_a_waveform_is_encoded_as_if_it_stood_alone(
    family: str, normalise: bool, tmp_path: Path
) -> None:
    folder = saved_speech(tmp_path, family, normalise)
    encoder = TrainableEncoder(section("waveform", folder)).eval()
    reference = AutoModel.from_pretrained(folder).eval()
    extractor = Wav2Vec2FeatureExtractor.from_pretrained(folder)
    batch = padded(raw_batch(), 2, 3)
    with torch.no_grad():
        values, valid, times = encoder(
            batch.values["voice"], batch.valid["voice"], batch.times["voice"]
        )
        for row, pieces in enumerate(PIECES):
            sound = raw_batch().values["voice"][row, :pieces].flatten().numpy()
            inputs = extractor(sound, sampling_rate=16000, return_tensors="pt").input_values
            wanted = reference(inputs).last_hidden_state[0]
            assert_same(values[row][valid[row]], wanted)
            # The first step sees 20 samples, and steps are 10 apart.
            centres = (torch.arange(len(wanted)) * 10 + 10) / 16000
            torch.testing.assert_close(times[row][valid[row]], centres)


def test_a_text_is_encoded_as_if_it_stood_alone(tmp_path: Path) -> None:
    folder = saved_text(tmp_path)
    encoder = TrainableEncoder(section("tokens", folder)).eval()
    reference = RobertaModel.from_pretrained(folder).eval()
    batch = padded(raw_batch(), 2, 3)
    with torch.no_grad():
        values, valid, _ = encoder(
            batch.values["words"], batch.valid["words"], batch.times["words"]
        )
        for row, tokens in enumerate(TOKENS):
            ids = raw_batch().values["words"][row : row + 1, :tokens]
            assert_same(values[row][valid[row]], reference(ids).last_hidden_state[0])


@pytest.mark.parametrize(
    ("system", "options", "task"),
    [
        ("early", {}, _LABEL_AND_VALUE),
        ("memocmt", _FUSED, _LABEL_AND_VALUE),
        ("hri_emo", _FUSED, _LABEL_AND_VALUE),
        ("va_fclstm", {"width": 16}, _FRAMES),
        ("amst", {"track_encoder": "identity", "pooling": "cls"}, _LABEL_AND_VALUE),
    ],
)
def test_systems_keep_their_promises_over_raw_input(
    system: str, options: dict[str, Any], task: dict[str, Any], tmp_path: Path
) -> None:
    model, batch = fusion(tmp_path, system, options=options, task=task), raw_batch()
    wanted = answers(model, batch)
    assert_same(answers(model, padded(batch, 1, 2)), wanted)
    assert_same([answers(model, rows_of(batch, [i]))[0] for i in range(6)], wanted)
    never = answers(model, batch, only=["words"])
    assert_same(answers(model, lacking(batch, ["voice"], [1]))[1:2], never[1:2])
    nothing = lacking(batch, ["voice", "words"], range(6))
    assert all(row.isfinite().all() for row in answers(model, nothing))


def test_every_parameter_is_trained_and_the_loss_falls(tmp_path: Path) -> None:
    model, batch = fusion(tmp_path), raw_batch()
    before = loss(model.config, model(batch), batch.targets)
    before.backward()
    # Softmax cancels the keys' biases of the published models.
    gradients = {
        n: p.grad
        for n, p in model.named_parameters()
        if not n.endswith(("k_proj.bias", "key.bias"))
    }
    assert not [n for n, g in gradients.items() if g is None or not g.abs().max() > 1e-8]
    assert {id(p) for p in model.backbones["voice"].parameters()} <= {
        id(p) for p in model.parameters_of("voice")
    }
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    model.train()
    for _ in range(30):
        optimiser.zero_grad()
        loss(model.config, model(batch), batch.targets).backward()
        optimiser.step()
    assert loss(model.config, model.eval()(batch), batch.targets) < before / 2


def test_frozen_encoders_run_in_evaluation_mode(tmp_path: Path) -> None:
    model, batch = fusion(tmp_path, frozen=True), raw_batch()
    wanted = [tokens.values for tokens in model.encode(batch).values()]
    model.train()
    assert_same([tokens.values for tokens in model.encode(batch).values()], wanted)
    loss(model.config, model(batch), batch.targets).backward()
    assert all(p.grad is None for p in model.backbones.parameters())
    model.backbones["words"].freeze(False)
    model.encode(batch)["words"].values.sum().backward()
    assert any(p.grad is not None for p in model.backbones["words"].parameters())


def test_all_but_the_last_layers_are_frozen(tmp_path: Path) -> None:
    model, batch = fusion(tmp_path, trained_layers=1), raw_batch()
    model.save_pretrained(tmp_path / "fusion")
    for one in (model, type(model).from_pretrained(tmp_path / "fusion")):
        one.train()
        loss(one.config, one(batch), batch.targets).backward()
        for name, layers in (("voice", "encoder.layers.1."), ("words", "encoder.layer.1.")):
            learns = {n for n, p in one.backbones[name].model.named_parameters() if p.requires_grad}
            graded = {
                n for n, p in one.backbones[name].model.named_parameters() if p.grad is not None
            }
            assert learns == graded and all(n.startswith(layers) for n in learns) and learns
            modes = {n: m.training for n, m in one.backbones[name].model.named_modules()}
            assert all(mode == (f"{n}.".startswith(layers)) for n, mode in modes.items())
        one.backbones["words"].freeze()
        assert not any(p.requires_grad for p in one.backbones["words"].parameters())
        one.backbones["words"].freeze(False)
        assert any(p.requires_grad for p in one.backbones["words"].parameters())
    with pytest.raises(EmollamaError, match="trained_layers 3 of the 2 layers of wav2vec2"):
        fusion(tmp_path, trained_layers=3)
    with pytest.raises(ValueError, match="trained_layers is for tokens or a waveform"):
        section("tokens", tmp_path, trained_layers=1, frozen=True)


def test_every_model_of_a_configuration_begins_with_the_folders_weights(tmp_path: Path) -> None:
    config = raw_config(tmp_path)
    first, second = (SYSTEMS["fine_grained"](config).backbones.state_dict() for _ in range(2))
    assert not config.backbones
    assert_same(list(first.values()), list(second.values()))


def test_a_saved_model_needs_no_folder(tmp_path: Path) -> None:
    model, batch = fusion(tmp_path, frozen=True), raw_batch()
    model.save_pretrained(tmp_path / "fusion")
    for folder in ("speech", "text"):
        shutil.rmtree(tmp_path / folder)
    loaded = type(model).from_pretrained(tmp_path / "fusion").eval()
    assert_same(answers(loaded, batch), answers(model, batch))
    assert not any(p.requires_grad for p in loaded.backbones.parameters())


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    speech, text = saved_speech(tmp_path / "speech"), saved_text(tmp_path / "text")
    with pytest.raises(EmollamaError, match=r"no config\.json"):
        TrainableEncoder(section("tokens", tmp_path / "none"))
    with pytest.raises(
        EmollamaError, match="a wav2vec2 model; modality 'words' needs a text encoder"
    ):
        TrainableEncoder(section("tokens", speech))
    with pytest.raises(EmollamaError, match="needs a speech model"):
        TrainableEncoder(section("waveform", text))
    long = torch.full((1, 13), 5)
    with pytest.raises(EmollamaError, match="13 tokens; roberta reads at most 12"):
        TrainableEncoder(section("tokens", text))(long, long > 0, torch.zeros(1, 13))
    (text / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(EmollamaError, match="weights cannot be read"):
        TrainableEncoder(section("tokens", text))
