"""Exports are the same function as the artefact, in the form that other programs read."""

from __future__ import annotations

import json
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM

from emollama.base.errors import EmollamaError
from emollama.llm import artefact
from emollama.llm.clues import ClueWords
from emollama.llm.inference import label_probabilities
from emollama.llm.interop.export import export
from emollama.llm.interop.prompt_embeddings import PromptEmbeddings
from emollama.llm.interop.shards import size_in_bytes, write_shards
from emollama.llm.scoring import label_distribution
from emollama.llm.weight_files import WeightFiles
from tests.llm.conftest import evidence

CLIPS = [evidence(0), evidence(1, voice=True), evidence(2, text=None, face=True)]
OPEN = """
import sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
model = AutoModelForCausalLM.from_pretrained(sys.argv[1])
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
ids = tokenizer("happy", return_tensors="pt").input_ids
model.generate(ids, max_new_tokens=2, do_sample=False)
assert not any(name.split(".")[0] in ("emollama", "peft") for name in sys.modules)
print(type(model).__name__, model.dtype, tokenizer.decode(ids[0]))
"""


@pytest.fixture
def folder(built, tmp_path: Path) -> Path:
    """An artefact whose adapter and projectors are not what they started as."""
    model, processor = built
    draw = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.05 * torch.randn(parameter.shape, generator=draw)
    artefact.save(model, processor, ClueWords(), tmp_path / "model", {"steps": 3}, "# card\n")
    return tmp_path / "model"


def scores(folder: Path, dtype: torch.dtype) -> np.ndarray:
    found = artefact.load(folder, dtype)
    return label_probabilities(found.model, found.processor, CLIPS)


def formats(folder: Path) -> dict[str, str]:
    found = {}
    for path in folder.glob("*.safetensors"):
        with safe_open(path, framework="pt") as file:
            found |= {key: file.get_slice(key).get_dtype() for key in file.keys()}  # noqa: SIM118
    return found


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_export_in_shards_is_the_artefact(
    folder: Path, tmp_path: Path, dtype: torch.dtype
) -> None:
    out = tmp_path / "out"
    export(folder, out, dtype, shard="20KB")
    shards = list(out.glob("model-*.safetensors"))
    assert len(shards) > 2 and not (out / "model.safetensors").exists()
    index = json.loads((out / "model.safetensors.index.json").read_text())
    assert set(index["weight_map"].values()) == {path.name for path in shards}
    kinds = {k: v for k, v in formats(out).items() if k.startswith("language_model.")}
    assert set(kinds.values()) == {"F32" if dtype == torch.float32 else "BF16"}
    np.testing.assert_array_equal(scores(out, dtype), scores(folder, dtype))
    export(folder, out, dtype)  # again, in one
    assert (out / "model.safetensors").is_file() and not list(out.glob("model-*"))
    np.testing.assert_array_equal(scores(out, dtype), scores(folder, dtype))


def test_the_format_is_that_of_the_base(built, llm: Path, tmp_path: Path, folder: Path) -> None:
    export(folder, tmp_path / "out")
    assert set(formats(tmp_path / "out").values()) == {"F32"}
    half = AutoModelForCausalLM.from_pretrained(llm, dtype=torch.bfloat16)
    half.save_pretrained(tmp_path / "half")
    config = json.loads((folder / "config.json").read_text())
    config |= {"llm": str(tmp_path / "half"), "llm_sha256": ""}
    (folder / "config.json").write_text(json.dumps(config))
    export(folder, tmp_path / "out")
    found = formats(tmp_path / "out")
    assert {v for k, v in found.items() if k.startswith("language_model.")} == {"BF16"}
    assert {v for k, v in found.items() if k.startswith("projector_")} == {"F32"}
    assert json.loads((tmp_path / "out/config.json").read_text())["dtype"] == "bfloat16"


def test_a_plain_language_model_opens_without_emollama(folder: Path, tmp_path: Path) -> None:
    export(folder, tmp_path / "out", torch.bfloat16, form="llm")
    done = subprocess.run(
        [sys.executable, "-c", OPEN, tmp_path / "out"], cwd=tmp_path, env={"PATH": ""},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["LlamaForCausalLM", "torch.bfloat16", "happy"]


def test_prompt_embeddings_of_a_plain_language_model_give_the_artefacts_scores(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    export(folder, out, torch.float32, shard="30KB", form="llm")
    assert all(not key.startswith(("projector", "language")) for key in formats(out))
    embeddings = PromptEmbeddings.open(out)
    model = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32).eval()
    rows = []
    for clip in CLIPS:
        prompt = embeddings(clip, "emotion")
        assert prompt.ndim == 2 and prompt.shape[1] == model.config.hidden_size
        row = []
        for ids in embeddings.processor.label_ids():
            words = model.get_input_embeddings()(torch.tensor(ids[:-1]))
            with torch.inference_mode():
                logs = model(inputs_embeds=torch.cat([prompt, words])[None]).logits.log_softmax(-1)
            steps = logs[0, len(prompt) - 1 :]
            row.append(steps[torch.arange(len(ids)), torch.tensor(ids)].sum())
        rows.append(torch.stack(row))
    found = label_distribution(torch.stack(rows)).numpy()
    np.testing.assert_allclose(found, scores(folder, torch.float32), atol=1e-5)
    before = embeddings(CLIPS[0])
    for file in out.rglob("*.safetensors"):
        with file.open("r+b") as written_over:
            written_over.write(bytes(file.stat().st_size))
    assert torch.equal(embeddings(CLIPS[0]), before)


def test_an_export_replaces_only_exports(folder: Path, llm: Path, tmp_path: Path) -> None:
    with pytest.raises(EmollamaError, match="holds an unmerged artefact"):
        export(folder, folder)
    with pytest.raises(EmollamaError, match="holds other files"):
        export(folder, llm)  # a language model, and model.safetensors in it
    export(folder, tmp_path / "out", form="llm")
    export(folder, tmp_path / "out")
    assert not (tmp_path / "out/emollama").exists()
    with pytest.raises(EmollamaError, match=r"holds no emollama/processor.json; make it with"):
        PromptEmbeddings.open(tmp_path / "out")


def test_no_more_than_a_shard_is_held(tmp_path: Path) -> None:
    made: list[weakref.ref[torch.Tensor]] = []

    def tensors() -> Iterator[tuple[str, torch.Tensor]]:
        for i in range(9):
            assert sum(tensor() is not None for tensor in made) <= 3  # two, and the last one given
            tensor = torch.full((100,), float(i))
            made.append(weakref.ref(tensor))
            yield f"t{i}", tensor
            del tensor

    write_shards(tensors(), tmp_path, 800)
    assert len(list(tmp_path.glob("model-*-of-00005.safetensors"))) == 5
    files = WeightFiles.of_folder(tmp_path)
    assert [float(files.read(f"t{i}")[0]) for i in range(9)] == list(range(9))


@pytest.mark.parametrize(("text", "size"), [("5GB", 5 * 10**9), ("1.5 MiB", 3 << 19)])
def test_sizes(text: str, size: int) -> None:
    assert size_in_bytes(text) == size


@pytest.mark.parametrize("text", ["5", "GB", "0GB", "-1GB", "5 apples", ""])
def test_what_is_no_size_is_one_line(text: str) -> None:
    with pytest.raises(EmollamaError, match="is not a size; write for example 5GB"):
        size_in_bytes(text)
