"""A language model in 8 and 4 bits: trained, resumed, opened, merged, on a CPU at tiny size."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn import Linear4bit, Linear8bitLt
from safetensors.torch import load_file

from emollama.base import memory
from emollama.base.config import load_config
from emollama.base.errors import EmollamaError
from emollama.evaluation.compare import Way, compare
from emollama.llm import artefact, backbone, room
from emollama.llm.backbone import load_llm
from emollama.llm.inference import label_probabilities
from emollama.llm.interop.export import export
from emollama.llm.training.config import TrainConfig
from emollama.llm.training.sft import train
from emollama.manifest.sample import read_manifest
from tests.llm.training.corpus import make

KINDS = {"4bit": Linear4bit, "8bit": Linear8bitLt}
CLOSE = {"4bit": 1e-4, "8bit": 0.05}  # LLM.int8() rounds what enters a layer, too
PLAIN = ["model.streams.1.initial_weights=random", "training.max_steps=4", "model.lora.dropout=0"]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("corpus"))


def run(config: Path, output: Path, kind: str, *more: str) -> Path:
    words = [f"output={output}", f"model.quantise={kind}", *PLAIN, *more]
    return train(load_config(TrainConfig, config, words))


def weights(model: Path) -> dict[str, torch.Tensor]:
    return load_file(model / artefact.ADAPTER_FILE)


@pytest.fixture(scope="module", params=KINDS)
def trained(request, config: Path, tmp_path_factory: pytest.TempPathFactory):
    output = tmp_path_factory.mktemp(request.param)
    return request.param, run(config, output, request.param)


def scores(opened: artefact.LlmArtefact, config: Path) -> np.ndarray:
    manifest = read_manifest(config.parent / "manifest.jsonl")
    loaded = opened.load_samples(manifest, manifest.split("val"), "val", None)
    known = loaded._evidence([s.id for s in loaded.samples])
    return label_probabilities(opened.model, opened.processor, known)


def values_of(layer: torch.nn.Module) -> torch.Tensor:
    """What a quantised layer's weights stand for."""
    weight = layer.weight
    if isinstance(layer, Linear4bit):
        return dequantize_4bit(weight.data, weight.quant_state).float()
    return weight.CB.float() * (weight.SCB / 127)[:, None]


def quantised(opened: artefact.LlmArtefact, kind: str) -> dict[str, torch.Tensor]:
    """The values of the quantised layers by their names in a model without adapters."""
    return {
        name.removesuffix(".base_layer"): values_of(module)
        for name, module in opened.model.language_model.named_modules()
        if isinstance(module, KINDS[kind])
    }


def test_every_adapter_learns_and_validation_in_between_changes_nothing(
    trained, config: Path, tmp_path: Path
) -> None:
    kind, model = trained
    plain = weights(model)
    learned = [key for key in plain if key.endswith("lora_B.weight")]
    assert learned
    assert all(plain[key].abs().max() > 0 for key in learned)
    beside = weights(run(config, tmp_path / "run", kind, "training.evaluate_every_steps=1"))
    for key, value in plain.items():
        assert torch.equal(value, beside[key]), key


def test_a_resumed_run_ends_as_the_whole_one(trained, config: Path) -> None:
    kind, model = trained
    whole = weights(model)
    shutil.rmtree(model)
    shutil.rmtree(model.parent / "checkpoints/checkpoint-4")
    resumed = weights(run(config, model.parent, kind))
    for key, value in whole.items():
        assert torch.equal(value, resumed[key]), key


def test_it_is_opened_as_it_was_trained_unless_told_otherwise(trained, config: Path) -> None:
    kind, model = trained
    opened = artefact.load_as(model, "float32")
    held = quantised(opened, kind)
    assert len(held) == 14  # all linear layers of two blocks, none of the projectors, no head
    adapters = [p for n, p in opened.model.named_parameters() if "lora_" in n]
    assert adapters
    assert all(p.dtype == torch.float32 for p in adapters)
    full = artefact.load_as(model, "float32", "none")
    assert not any(isinstance(m, KINDS[kind]) for m in full.model.modules())
    # The same adapter on the values that the quantised layers stand for.
    base = load_llm(config.parent / "llm", torch.float32)
    for name, values in held.items():
        full.model.language_model.get_submodule(name).weight.add_(
            values - base.get_submodule(name).weight
        )
    np.testing.assert_allclose(scores(opened, config), scores(full, config), atol=CLOSE[kind])
    assert "quantization_config" not in json.loads((model / "config.json").read_text())


def test_merging_folds_into_the_full_weights(trained, config: Path, tmp_path: Path) -> None:
    kind, model = trained
    export(model, tmp_path / "merged")
    exact = scores(artefact.load_as(model, "float32", "none"), config)
    merged = artefact.load_as(tmp_path / "merged", "float32")
    np.testing.assert_allclose(scores(merged, config), exact, atol=1e-5)
    again = artefact.load_as(tmp_path / "merged", "float32", kind)
    assert again.model.projector("voice").output.weight.dtype == torch.float32
    held = quantised(again, kind)
    assert len(held) == 14
    for name, values in held.items():
        merged.model.language_model.get_submodule(name).weight.copy_(values)
    np.testing.assert_allclose(scores(again, config), scores(merged, config), atol=CLOSE[kind])


def test_what_does_not_fit_is_refused_before_it_is_read(
    trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, model = trained
    size = room.size_of(model, artefact.read_config(model))
    need = size.bytes_in("4bit", 2)
    monkeypatch.setattr(room, "free_memory", lambda _: int(need + 100))
    with pytest.raises(EmollamaError, match=r"weights take 0.0 GB in float32.*--quantise 4bit"):
        artefact.load_as(model, "float32", "none")
    monkeypatch.setattr(room, "free_memory", lambda _: 10)
    with pytest.raises(EmollamaError, match="at least"):
        artefact.load_as(model, "float32", "none")


def test_the_size_read_from_headers_is_that_of_the_model(trained) -> None:
    _, model = trained
    size = room.size_of(model, artefact.read_config(model))
    opened = artefact.load_as(model, "float32", "none").model.language_model
    linear = sum(
        m.weight.numel()
        for n, m in opened.named_modules()
        if isinstance(m, torch.nn.Linear) and n != "lm_head"
    )
    assert size.linear == linear
    assert size.linear + size.other == sum(p.numel() for p in opened.parameters())


def test_a_containers_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("400000\n")
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 100000\n")
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    assert memory.free_memory(torch.device("cpu")) == 700000


def test_without_the_library_it_is_one_line(trained, monkeypatch: pytest.MonkeyPatch) -> None:
    _, model = trained
    monkeypatch.setattr(backbone, "find_spec", lambda _: None)
    with pytest.raises(EmollamaError, match="pip install bitsandbytes"):
        artefact.load_as(model)


def test_compare_shows_what_another_way_costs(trained, config: Path) -> None:
    kind, model = trained
    manifest = config.parent / "manifest.jsonl"
    ways = Way("float32", "none"), Way("float32", kind)
    found = compare(model, model, manifest, None, split="val", ways=ways)
    assert found.largest > 0
    assert found.settings == (f"held in: float32 against {kind}",)
    first, second = (float(cost.split()[1]) for cost in found.costs)
    assert second < first
