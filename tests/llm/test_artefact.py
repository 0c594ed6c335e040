"""An artefact on disk: saved = loaded = merged, and what is broken is refused in one line."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from emollama.base.errors import EmollamaError
from emollama.llm import artefact
from emollama.llm.clues import ClueWords
from emollama.llm.inference import label_probabilities, written
from emollama.llm.interop.export import export
from emollama.llm.options import LoraSection
from emollama.manifest.labels import get_label_set
from tests.llm.conftest import STREAMS, evidence
from tests.tiny import tiny_llm

CLIPS = [evidence(0), evidence(1, voice=True), evidence(2, text=None, face=True)]


@pytest.fixture
def trained(built):
    """A model whose adapter and projectors are not what they started as."""
    model, processor = built
    draw = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.05 * torch.randn(parameter.shape, generator=draw)
    artefact.bare(model).projector("voice").set(torch.full((12,), 0.3), torch.full((12,), 2.0))
    return model.eval(), processor


@pytest.fixture
def folder(trained, tmp_path: Path) -> Path:
    model, processor = trained
    columns = {"prosody": (("f0_mean", "x", "y", "z", "w"), [np.eye(5), np.ones((2, 5))])}
    out = tmp_path / "model"
    artefact.save(model, processor, ClueWords.fit(columns), out, {"steps": 3}, "# card\n")
    return out


def load(folder: Path) -> artefact.LlmArtefact:
    return artefact.load(folder, torch.float32)


def scores(model, processor) -> np.ndarray:
    return label_probabilities(model, processor, CLIPS)


def test_saved_equals_loaded_equals_merged(trained, folder: Path, tmp_path: Path) -> None:
    model, processor = trained
    online = scores(artefact.bare(model), processor)
    assert np.ptp(online) > 0.01  # it has an opinion that could be lost
    loaded = load(folder)
    np.testing.assert_allclose(scores(loaded.model, loaded.processor), online, atol=1e-5)
    assert loaded.clues.describe(CLIPS[0].tracks) != {}
    export(folder, tmp_path / "merged")
    merged = load(tmp_path / "merged")
    np.testing.assert_allclose(scores(merged.model, merged.processor), online, atol=1e-5)
    assert written(merged.model, merged.processor, CLIPS[:1], "reason", 8) == written(
        loaded.model, loaded.processor, CLIPS[:1], "reason", 8
    )
    assert merged.clues == loaded.clues


def test_an_artefact_does_not_say_where_the_language_model_lay(folder: Path) -> None:
    written = json.loads((folder / "config.json").read_text())
    assert "/" not in written["text_config"]["_name_or_path"]


def test_a_merged_artefact_needs_no_other_folder(folder: Path, tmp_path: Path) -> None:
    export(folder, tmp_path / "merged")
    config = json.loads((tmp_path / "merged/config.json").read_text())
    config["llm"] = str(tmp_path / "nowhere")
    (tmp_path / "merged/config.json").write_text(json.dumps(config))
    load(tmp_path / "merged")


def test_saving_again_replaces_the_artefact_and_leaves_nothing_beside_it(
    trained, folder: Path
) -> None:
    model, processor = trained
    artefact.save(model, processor, ClueWords(), folder, {"steps": 4}, "# card\n")
    assert json.loads((folder / "training_record.json").read_text()) == {"steps": 4}
    assert [p.name for p in folder.parent.iterdir()] == ["model"]


def test_a_save_that_fails_leaves_the_old_artefact(trained, folder: Path) -> None:
    model, processor = trained
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    with pytest.raises(TypeError):  # a record that is not JSON
        artefact.save(model, processor, ClueWords(), folder, {"steps": object()}, "")
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    assert [p.name for p in folder.parent.iterdir()] == ["model"]


def test_an_adapter_of_other_weights_is_refused(folder: Path, tmp_path: Path) -> None:
    other = tiny_llm(tmp_path / "other")
    weights = load_file(other / "model.safetensors")
    weights["model.norm.weight"] = weights["model.norm.weight"] + 1
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config["llm"] = str(other)
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(EmollamaError, match="trained on other weights"):
        load(folder)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def without_one(path: Path) -> None:
    tensors = load_file(path)
    tensors.pop(next(k for k in sorted(tensors) if "projector_face" in k))
    save_file(tensors, path, metadata={"format": "pt"})


def misshapen(path: Path) -> None:
    tensors = load_file(path)
    key = next(k for k in sorted(tensors) if k.endswith("output.weight"))
    tensors[key] = tensors[key][:-1].clone()
    save_file(tensors, path, metadata={"format": "pt"})


def one_more(path: Path) -> None:
    tensors = load_file(path)
    tensors["base_model.model.stranger.weight"] = torch.zeros(2)
    save_file(tensors, path, metadata={"format": "pt"})


@pytest.mark.parametrize("kind", ["adapter", "merged"])
@pytest.mark.parametrize("damage", [cut, without_one, misshapen, one_more])
def test_damaged_weights_are_refused(folder: Path, tmp_path: Path, kind: str, damage) -> None:
    if kind == "merged":
        export(folder, tmp_path / "merged")
        folder = tmp_path / "merged"
    name = artefact.ADAPTER_FILE if kind == "adapter" else artefact.MERGED_FILE
    damage(folder / name)
    with pytest.raises(EmollamaError, match=f"{folder.name}/{name}: "):
        load(folder)


@pytest.mark.parametrize(
    "name", ["config.json", "processor.json", "clues.json", artefact.ADAPTER_FILE]
)
def test_a_file_that_is_not_there_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(EmollamaError, match=name):
        load(folder)


@pytest.mark.parametrize("name", ["config.json", "processor.json", "clues.json"])
def test_a_file_that_is_not_json_or_lacks_its_keys_is_named(folder: Path, name: str) -> None:
    whole = (folder / name).read_text()
    for text in (whole[: len(whole) // 2], "[1, 2]", '{"a": 1}'):
        (folder / name).write_text(text)
        with pytest.raises(EmollamaError, match=name):
            load(folder)


def test_merging_does_not_overwrite_an_adapter(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "mine")
    with pytest.raises(EmollamaError, match="unmerged artefact"):
        export(folder, tmp_path / "mine")
    load(tmp_path / "mine")


def test_labels_are_the_artefacts_own(folder: Path) -> None:
    assert load(folder).processor.labels == get_label_set("mer2023")
    assert [s.name for s in load(folder).processor.streams] == [s.name for s in STREAMS]


def test_merging_does_not_remove_what_is_not_ours(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "important").mkdir()
    (tmp_path / "important/thesis.txt").write_text("years of work")
    with pytest.raises(EmollamaError, match="important: holds other files"):
        export(folder, tmp_path / "important")
    assert (tmp_path / "important/thesis.txt").read_text() == "years of work"


def test_a_kill_between_the_two_renames_loses_nothing(
    trained, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, processor = trained
    monkeypatch.setattr(Path, "rename", _killed_at_second_rename(Path.rename))
    with pytest.raises(KeyboardInterrupt):
        artefact.save(model, processor, ClueWords(), folder, {"steps": 4}, "")
    monkeypatch.undo()
    assert not folder.exists()
    assert load(folder.with_name(f".{folder.name}.old")).clues.statistics
    artefact.save(model, processor, ClueWords(), folder, {"steps": 5}, "")
    assert [p.name for p in folder.parent.iterdir()] == ["model"]


def _killed_at_second_rename(rename):
    calls = []

    def killed(self: Path, target: Path) -> Path:
        calls.append(self)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return rename(self, target)

    return killed


def test_code_beside_an_artefact_is_not_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mark = tmp_path / "it ran"
    (folder / "evil.py").write_text(f"open({str(mark)!r}, 'w')\nclass Tok: pass\n")
    path = folder / "tokenizer_config.json"
    values = {**json.loads(path.read_text()), "auto_map": {"AutoTokenizer": ["evil.Tok", None]}}
    values["tokenizer_class"] = "Tok"
    path.write_text(json.dumps(values))
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    with suppress(EmollamaError):
        load(folder)
    assert not mark.exists()


def test_a_pickled_language_model_is_refused(built, llm: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pickled"
    shutil.copytree(llm, folder)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(EmollamaError, match=r"holds no \.safetensors weights"):
        artefact.build(
            str(folder), "emollama-chat", STREAMS, get_label_set("mer2023"),
            LoraSection(), torch.float32, seed=0,
        )  # fmt: skip


@pytest.mark.parametrize("text", ["", "[]", '{"version": "1.0"'])
@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
def test_a_broken_tokenizer_is_one_line(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    with pytest.raises(EmollamaError, match="the tokenizer cannot be loaded"):
        load(folder)
