"""Beginning with earlier weights, and what is said when they do not fit or memory runs out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from emollama.base.config import load_config
from emollama.base.errors import EmollamaError
from emollama.evaluation.compare import compare
from emollama.llm.interop.export import export
from emollama.llm.training.arguments import BATCH_KEYS
from emollama.llm.training.config import TrainConfig
from emollama.llm.training.memory import memory_advice
from emollama.llm.training.sft import train
from tests.llm.training.corpus import make


@pytest.fixture(scope="module")
def stage1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("start")
    make(folder)
    train(load_config(TrainConfig, folder / "config.yaml", [f"output={folder}/one"]))
    return folder


def stage2(folder: Path, output: Path, *options: str) -> Path:
    given = [f"output={output}", f"model.initialise_from={folder}/one/model",
             "training.max_steps=1", "model.streams.1.initial_weights=random",
             *options]  # fmt: skip
    return train(load_config(TrainConfig, folder / "config.yaml", given))


def test_stage_2_begins_where_stage_1_ended(stage1: Path, tmp_path: Path) -> None:
    """Standardisers too, which another training split would have set differently."""
    still = ("training.learning_rate=1e-12", "training.projector_learning_rate=1e-12",
             "data.train_split=val")  # fmt: skip
    second = stage2(stage1, tmp_path / "two", *still)
    same = compare(stage1 / "one/model", second, stage1 / "manifest.jsonl", None, split="val")
    assert same.same and same.largest < 1e-4
    moved = stage2(stage1, tmp_path / "moved", "training.warmup_steps=0")
    other = compare(stage1 / "one/model", moved, stage1 / "manifest.jsonl", None, split="val")
    assert not other.same


def test_a_run_goes_on_when_what_it_started_from_is_gone(stage1: Path, tmp_path: Path) -> None:
    source = tmp_path / "one"
    shutil.copytree(stage1 / "one/model", source)
    steps = (
        f"model.initialise_from={source}",
        "training.max_steps=4",
        "training.save_every_steps=2",
    )
    whole = stage2(stage1, tmp_path / "whole", *steps)
    cut = stage2(stage1, tmp_path / "cut", *steps)
    shutil.rmtree(cut)
    shutil.rmtree(tmp_path / "cut/checkpoints/checkpoint-4")
    shutil.rmtree(source)
    again = stage2(stage1, tmp_path / "cut", *steps)
    same = compare(whole, again, stage1 / "manifest.jsonl", None, split="val")
    assert same.same and same.largest == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["model.lora.r=8"], "was trained with model.lora.r 4, but the configuration has 8"),
        (["model.lora.targets=[q_proj]"], "was trained with model.lora.targets"),
        (["model.lora.targets=[]"], "key 'model.lora.targets'"),
        (["model.lora.dora=true"], "was trained with model.lora.dora False"),
        (["model.streams.0.tokens=1"], "stream 'voice' has tokens 2, but model.streams has 1"),
        (["model.streams.0.name=voices"], "has the streams voice, face, but model.streams has"),
        (
            ["model.initialise_from=nowhere"],
            "nowhere: is neither an artefact's folder nor a released",
        ),
        (["training.deepspeed=train_configs/deepspeed/zero2.json"], "start the run with torchrun"),
        (["training.deepspeed={f}/stage7.json"], "stage must be 1, 2 or 3, not 7"),
        (["training.deepspeed={f}/list.json"], "list.json: is not a JSON object"),
        (["training.deepspeed={f}/three.json"], "stage must be 1, 2 or 3, not None"),
        (["training.deepspeed={f}/empty.json"], "stage must be 1, 2 or 3, not None"),
        (["training.deepspeed={f}/size.json"], '"train_batch_size" must be "auto", not null'),
        (["training.deepspeed={f}/half.json"], 'fp16.enabled must be "auto", not true'),
        (["training.deepspeed={f}/bf16.json"], '"bf16" must be an object'),
        (["training.deepspeed={f}/wide.json"], 'bf16.enabled must be "auto", not true'),
        (["training.deepspeed={f}/clip.json"], '"gradient_clipping" must be "auto", not 0.5'),
        (["training.deepspeed={f}/adam.json"], '"optimizer" is determined by the section training'),
        (["training.deepspeed={f}/odd.json"], "DeepSpeed refuses it: 1 validation error"),
        (
            ["model.initialise_from=null", "model.lora.targets=[foo.q_proj]"],
            "'foo.q_proj' is not a linear layer",
        ),
        (["seed=-1"], "key 'seed'"),
        (["seed=4294967296"], "key 'seed'"),
        (["training.neftune_alpha=5", "training.pack_tokens=400"], "set pack_tokens: 0"),
        (
            ["model.streams.1.initial_weights=probe"],
            "stream 'face' must not have initial_weights: probe",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(
    stage1: Path, tmp_path: Path, options: list[str], said: str
) -> None:
    auto = {**dict.fromkeys(BATCH_KEYS, "auto"), "zero_optimization": {"stage": 2}}
    files = {
        "size": {"zero_optimization": {"stage": 2}},
        "half": {**auto, "fp16": {"enabled": True}},
        "bf16": {**auto, "bf16": "auto"},
        "wide": {**auto, "bf16": {"enabled": True}},
        "clip": {**auto, "gradient_clipping": 0.5},
        "stage7": {"zero_optimization": {"stage": 7}},
        "list": [1],
        "three": {"zero_optimization": 3},
        "empty": {},
        "adam": {**auto, "optimizer": {"type": "Adam"}},
        "odd": {**auto, "zero_optimization": {"stage": 2, "stages": 3}},
    }
    for name, values in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(values))
    given = [o.replace("{f}", str(tmp_path)) for o in options]
    with pytest.raises(EmollamaError) as error:
        stage2(stage1, tmp_path / "run", *given)
    assert said in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["model.lora.r=8"], "was trained with model.lora.r 4, but the configuration has 8"),
        (["model.streams.0.name=voices"], "has the streams voice, face, but model.streams has"),
        (["model.initialise_from={f}/llm"], "llm: is not an artefact"),
        (["model.initialise_from=models/people/fusion"], "is a fusion model; use an artefact of"),
        (["model.initialise_from=weights/v1.pth"], "v1.pth: is neither an artefact's folder nor"),
        (["model.initialise_from=models/people/llm"], "people/llm: has the streams "),
        (["model.initialise_from={t}/start.pth"], "released checkpoints need the streams"),
    ],
)
def test_what_does_not_fit_is_said_before_the_language_model_is_read(
    stage1: Path, tmp_path: Path, options: list[str], said: str
) -> None:
    """It has the right weights, and a configuration that builds no model of them."""
    other = tmp_path / "llm"
    shutil.copytree(stage1 / "llm", other)
    (other / "config.json").write_text('{"model_type": "nonsense"}')
    (tmp_path / "start.pth").touch()
    given = [o.replace("{f}", str(stage1)).replace("{t}", str(tmp_path)) for o in options]
    with pytest.raises(EmollamaError) as error:
        stage2(stage1, tmp_path / "run", f"model.llm={other}", *given)
    assert said in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("config.json", '{"model_type": "emotion_llama", "text_config": 5}', "cannot be used"),
        ("config.json", '{"model_type": "emotion_llama", "streams": [7]}', "cannot be used"),
        ("adapter_config.json", "[]", "holds no settings of an adapter"),
    ],
)
def test_a_broken_start_is_one_line(
    stage1: Path, tmp_path: Path, file: str, text: str, said: str
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(stage1 / "one/model", broken)
    (broken / file).write_text(text)
    with pytest.raises(EmollamaError, match=f"{file}: {said}"):
        stage2(stage1, tmp_path / "run", f"model.initialise_from={broken}")


def test_an_adapter_for_another_backbone_is_refused(stage1: Path, tmp_path: Path) -> None:
    other = tmp_path / "llm"
    shutil.copytree(stage1 / "llm", other)
    weights = load_file(other / "model.safetensors")
    save_file({k: v + 1 for k, v in weights.items()}, other / "model.safetensors",
              metadata={"format": "pt"})  # fmt: skip
    with pytest.raises(EmollamaError, match=r"was trained on the weights of .*with other weights"):
        stage2(stage1, tmp_path / "run", f"model.llm={other}")


def test_a_merged_artefact_says_where_to_start_from(stage1: Path, tmp_path: Path) -> None:
    export(stage1 / "one/model", tmp_path / "merged")
    with pytest.raises(EmollamaError, match="is merged; use the artefact it was made from"):
        stage2(stage1, tmp_path / "run", f"model.initialise_from={tmp_path}/merged")


def test_out_of_memory_says_what_would_help(stage1: Path) -> None:
    config = load_config(TrainConfig, stage1 / "config.yaml")
    with pytest.raises(EmollamaError) as error, memory_advice(config):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
    said = str(error.value)
    assert (
        "to continue from the last checkpoint try training.micro_batch=2, then training.grad"
        in said
    )
    assert "with training.resume=never model.dtype=bfloat16, then model.quantise" in said
    assert "emollama plan" in said and "\n" not in said
