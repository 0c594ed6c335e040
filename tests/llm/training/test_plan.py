"""A plan against what it plans."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from emollama.base.config import load_config
from emollama.base.errors import EmollamaError
from emollama.cli.app import app
from emollama.inputs.opening import reopen_inputs
from emollama.llm import artefact
from emollama.llm.backbone import empty_llm
from emollama.llm.clues import VOICE_RULES
from emollama.llm.configuration import EmotionLlamaConfig
from emollama.llm.evidence import EvidenceReader
from emollama.llm.modeling import EmotionLlama
from emollama.llm.options import LoraSection
from emollama.llm.training.activations import activation_bytes
from emollama.llm.training.config import TrainConfig
from emollama.llm.training.plan import ALONE, plan
from emollama.llm.training.sft import train
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import read_manifest
from tests.llm.conftest import STREAMS
from tests.llm.training.corpus import WIDTHS, make


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("plan"))


def _without_values(folder: Path):
    language_model = empty_llm(folder)
    with torch.device("meta"):
        config = EmotionLlamaConfig(
            text_config=language_model.config, streams=[asdict(s) for s in STREAMS]
        )
        return EmotionLlama(config, language_model)


def test_parameters_and_epochs_are_those_of_the_run(config: Path, tmp_path: Path) -> None:
    loaded = load_config(TrainConfig, config, [f"output={tmp_path}", "training.max_steps=3"])
    found = plan(loaded)
    record = json.loads((train(loaded) / "training_record.json").read_text())
    weights = load_file(tmp_path / "model/adapter_model.safetensors")
    buffers = sum(v.numel() for k, v in weights.items() if k.endswith((".mean", ".deviation")))
    assert found.trainable_parameters == sum(v.numel() for v in weights.values()) - buffers
    assert found.total_parameters > found.trainable_parameters
    assert found.steps == record["steps"]
    assert found.epochs == pytest.approx(3 * 4 / record["samples"])


def test_lengths_are_those_of_the_prompts_that_training_writes(
    config: Path, tmp_path: Path
) -> None:
    """Clue words of named columns included, as a reason's prompt holds them."""
    shutil.copytree(config.parent / "voice", tmp_path / "named")
    names = [rule.column for rule in VOICE_RULES]
    names += [f"other_{i}" for i in range(len(names), WIDTHS["voice"])]
    (tmp_path / "named/columns.json").write_text(json.dumps(names))
    options = [f"model.streams.0.source=npy:{tmp_path}/named", f"output={tmp_path}/run",
               "tasks.emotion.share=0"]  # fmt: skip
    loaded = load_config(TrainConfig, config, options)
    found = plan(loaded).lengths
    artefacts = artefact.load(train(loaded), torch.float32)
    streams = artefacts.processor.streams
    reader = EvidenceReader(reopen_inputs(None, streams), artefacts.clues)
    lengths = []
    for sample in read_manifest(config.parent / "manifest.jsonl").split("train"):
        known = reader.read(sample)
        prompts = [
            artefacts.processor.encode_prompt(known, artefacts.processor.instruction("reason", k))
            for k in range(artefacts.processor.instruction_count("reason"))
        ]
        done = [artefacts.processor.with_answer(p, sample.targets.reason) for p in prompts]
        lengths += [len(e.input_ids) for e in done]
    assert known.clues["voice"]
    assert min(lengths) <= found.smallest <= found.largest <= max(lengths)


def test_packing_fills_rows_that_padding_does_not(config: Path) -> None:
    padded = plan(load_config(TrainConfig, config)).lengths
    packed = plan(load_config(TrainConfig, config, ["training.pack_tokens=400"])).lengths
    assert padded.mean == packed.mean and padded.padded < 1
    assert packed.longest <= 400 and packed.rows == 1
    assert padded.smallest <= padded.median <= padded.p95 <= padded.largest
    assert 0 < padded.supervised < padded.mean


def test_activations_are_what_autograd_keeps(llm_folder: Path) -> None:
    """Two layers of the tiny model, really run in bfloat16, against the count on no device."""
    model, _ = artefact.build(
        str(llm_folder), "emollama-chat", STREAMS, get_label_set("mer2023"),
        LoraSection(r=4, alpha=8), torch.bfloat16, seed=3,
    )  # fmt: skip
    base = artefact.bare(model)
    decoder = base.language_model.get_decoder().to(torch.bfloat16).train()
    parameters = {p.untyped_storage().data_ptr() for p in decoder.parameters()}
    kept: dict[int, int] = {}
    alive = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            kept[storage.data_ptr()] = storage.nbytes()
        alive.append(tensor)
        return tensor

    x = torch.zeros(2, 50, 32, dtype=torch.bfloat16, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        decoder(inputs_embeds=x, use_cache=False)
    empty = artefact.bare(artefact.add_lora(_without_values(llm_folder), LoraSection(r=4, alpha=8)))
    counted, recomputed = activation_bytes(empty, 2, 100)
    assert counted == pytest.approx(sum(kept.values()), rel=0.05)
    assert recomputed < 0.7 * counted
    # Scores, softmax and its float32 source: at least one weight a head and pair of positions.
    pairs = 2 * 50 * 50 * empty.config.text_config.num_attention_heads
    eager, _ = activation_bytes(empty, 2, 100, "eager")
    assert eager > counted + 2 * pairs * 2


@pytest.fixture(scope="module")
def llm_folder(config: Path) -> Path:
    return config.parent / "llm"


def test_memory_falls_with_precision_checkpointing_and_sharing(config: Path) -> None:
    rows = plan(load_config(TrainConfig, config), gpus=2).memory

    def total(precision: str, checkpointing: bool, parallelism: str) -> float:
        (row,) = [
            m for m in rows
            if (m.precision, m.checkpointing, m.parallelism)
            == (precision, checkpointing, parallelism)
        ]  # fmt: skip
        return row.total

    one = ALONE
    found = plan(load_config(TrainConfig, config), gpus=2)
    frozen = found.total_parameters - found.trainable_parameters
    for memory in found.memory:
        whole = 2 if memory.parallelism == "ZeRO-3" else 1
        if memory.precision == "bfloat16":
            assert memory.weights == pytest.approx(frozen * 2 / whole)
        # Value, gradient and two moments in float32, each in one part or in two.
        share = {ALONE: 16, "ZeRO-2": 4 + 2 + 4, "ZeRO-3": 8}[memory.parallelism]
        assert memory.trained == pytest.approx(found.trainable_parameters * share)
    assert total("bfloat16", False, one) > total("8bit", False, one) > total("4bit", False, one)
    assert total("bfloat16", False, one) > total("bfloat16", True, one)
    assert total("bfloat16", False, one) > total("bfloat16", False, "ZeRO-2")
    assert total("bfloat16", False, "ZeRO-2") > total("bfloat16", False, "ZeRO-3")


def test_what_would_not_fit_is_said(config: Path) -> None:
    call = ["plan", str(config), "--memory", "0.5"]
    said = CliRunner().invoke(app, call)
    assert said.exit_code == 0, said.output
    assert "would not fit" in said.output and "tokens of a sample" in said.output
    fits = CliRunner().invoke(app, [*call[:-1], "80"]).output
    assert "would not fit" not in fits
    plain = CliRunner().invoke(app, [*call, "--json"]).output
    assert json.loads(plain)["configured"]["total"] > 1e9


def test_a_fusion_model_needs_no_plan() -> None:
    preset = Path(__file__).parents[3] / "train_configs/meld-early.yaml"
    with pytest.raises(
        EmollamaError, match=r"meld-early\.yaml: configures a fusion model"
    ) as error:
        CliRunner().invoke(app, ["plan", str(preset)], catch_exceptions=False)
    assert "\n" not in str(error.value) and "emollama train" in str(error.value)
