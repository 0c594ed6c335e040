"""Folding layer by layer: the bits of folding everything in float32, in the memory of one model."""

from __future__ import annotations

import json
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from transformers import AutoModelForCausalLM

from emollama.base.errors import EmollamaError
from emollama.llm import artefact
from emollama.llm.adapter import ADAPTER_FILE, SETTINGS_FILE
from emollama.llm.backbone import load_llm, resolve_llm
from emollama.llm.clues import ClueWords
from emollama.llm.configuration import read_config
from emollama.llm.folding import base_dtype, folded
from emollama.llm.modeling import EmotionLlama
from emollama.llm.options import LoraSection
from emollama.llm.weight_files import WEIGHTS_FILE
from emollama.manifest.labels import get_label_set
from tests.llm.conftest import STREAMS
from tests.tiny import tiny_llm

KINDS = {
    "plain": {},
    "rslora": {"use_rslora": True},
    "a third": {"lora_alpha": 3},
    "dora": {"use_dora": True},
    "ranks": {"rank_pattern": {"v_proj": 7}, "alpha_pattern": {"v_proj": 3}},
}


def save_trained(folder: Path, llm: Path, **lora) -> Path:
    """An artefact whose adapter and projectors are not what they started as."""
    model, processor = artefact.build(
        str(llm), "emollama-chat", STREAMS, get_label_set("mer2023"), LoraSection(r=4, alpha=8),
        torch.float32, seed=3,
    )  # fmt: skip
    if lora:
        targets = lora.pop("target_modules", r"language_model\..*\.(q_proj|v_proj|down_proj)")
        whole = [f"projector_{s.name}" for s in STREAMS] + lora.pop("modules_to_save", [])
        model = get_peft_model(
            model.unload(), LoraConfig(target_modules=targets, modules_to_save=whole, r=4, **lora)
        )
    draw = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.05 * torch.randn(parameter.shape, generator=draw)
    artefact.save(model, processor, ClueWords(), folder, {}, "")
    return folder


def folded_whole(folder: Path, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """What it must be: all in float32, folded by peft, the language model rounded at the end."""
    config = read_config(folder)
    model = EmotionLlama(config, load_llm(resolve_llm(config.llm), torch.float32))
    merged = PeftModel.from_pretrained(model, str(folder)).merge_and_unload()
    merged.language_model.to(dtype)
    return merged.state_dict()


@pytest.fixture(scope="module", params=[torch.float32, torch.bfloat16, torch.float16])
def stored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language model stored in one format, in several shards."""
    folder = tiny_llm(tmp_path_factory.mktemp("stored"))
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=request.param)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="40KB")
    assert len(list(folder.glob("*.safetensors"))) > 1
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_the_bits_are_those_of_folding_everything_in_float32(
    stored: Path, tmp_path: Path, kind: str
) -> None:
    folder = save_trained(tmp_path / "model", stored, **KINDS[kind])
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        expected = folded_whole(folder, dtype)
        found = dict(folded(folder, dtype))
        assert expected.keys() - found.keys() <= {"language_model.lm_head.weight"}  # tied
        loaded = artefact.load(folder, dtype).model.state_dict()
        assert loaded.keys() == expected.keys()
        for name, value in expected.items():
            assert value.dtype == loaded[name].dtype, name
            assert torch.equal(value, loaded[name]), (name, dtype)
            assert name not in found or torch.equal(value, found[name])


@pytest.mark.parametrize(
    "changes",
    [
        {"modules_to_save": ["embed_tokens"]},
        {"modules_to_save": ["lm_head"]},
        {"target_modules": r"language_model\.lm_head"},
        {"target_modules": ["embed_tokens"]},
    ],
)
def test_who_changes_one_of_two_that_are_one_tensor_is_refused(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    llm = tiny_llm(tmp_path / "llm")
    folder = save_trained(tmp_path / "model", llm, **changes)
    file = folder / ADAPTER_FILE
    kept = {k: v for k, v in load_file(file).items() if "lm_head.base" not in k}  # peft adds it
    save_file(kept, file)
    with pytest.raises(EmollamaError, match="are one tensor"):
        folded(folder, torch.float32)


def test_a_head_of_its_own_is_folded(tmp_path: Path) -> None:
    llm = tiny_llm(tmp_path / "llm")
    model = AutoModelForCausalLM.from_pretrained(llm)
    model.config.tie_word_embeddings = False
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach() + 1)
    model.save_pretrained(llm)
    folder = save_trained(tmp_path / "model", llm, target_modules=r"language_model\.lm_head")
    name = "language_model.lm_head.weight"
    found = dict(folded(folder, torch.float32))[name]
    assert torch.equal(found, folded_whole(folder, torch.float32)[name])


@pytest.mark.parametrize("targets", ["language_model.(q_proj", "nothing", ["nothing"], None])
def test_settings_of_an_adapter_that_cannot_be_used_are_one_line(
    tmp_path: Path, targets: str | list[str] | None
) -> None:
    folder = save_trained(tmp_path / "model", tiny_llm(tmp_path / "llm"))
    settings = json.loads((folder / SETTINGS_FILE).read_text())
    (folder / SETTINGS_FILE).write_text(json.dumps(settings | {"target_modules": targets}))
    with pytest.raises(EmollamaError, match=rf"{SETTINGS_FILE}: cannot be used"):
        folded(folder, torch.float32)


def test_the_format_of_the_base_is_read_from_its_files(tmp_path: Path) -> None:
    llm = tiny_llm(tmp_path / "llm")
    folder = save_trained(tmp_path / "model", llm)
    assert base_dtype(folder) == torch.float32
    AutoModelForCausalLM.from_pretrained(llm, dtype=torch.bfloat16).save_pretrained(llm)
    assert base_dtype(folder) == torch.bfloat16
    save_file({}, llm / WEIGHTS_FILE)  # what it lacks is told later
    assert base_dtype(folder) == torch.float32


class Live(TorchDispatchMode):
    """Counts the bytes of live tensors made under it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.known: set[int] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        for tensor in tree_iter(made):
            if isinstance(tensor, torch.Tensor) and tensor.device.type != "meta":
                self.see(tensor.untyped_storage())
        return made

    def see(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self.known:
            return
        self.known.add(key)
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self.gone, key, storage.nbytes())

    def gone(self, key: int, size: int) -> None:
        self.known.discard(key)
        self.now -= size


def test_opening_holds_one_layer_beside_the_weights(tmp_path: Path) -> None:
    llm = tiny_llm(tmp_path / "llm")
    folder = save_trained(tmp_path / "model", llm)
    with Live() as live:
        loaded = artefact.load(folder, torch.bfloat16)
    layer = 4 * max(p.numel() for p in loaded.model.parameters())  # the largest in float32
    weights = sum(p.numel() * p.element_size() for p in loaded.model.parameters())
    buffers = sum(b.numel() * b.element_size() for b in loaded.model.buffers())
    assert live.peak <= weights + buffers + layer
