"""Weights by name: linked, converted when asked to, and otherwise one line that helps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from emollama.assets.folders import link, list_models, model_folder
from emollama.assets.models import MODELS
from emollama.base.errors import EmollamaError
from emollama.cli import app as cli
from emollama.encoders.table import parse_encoder
from tests.encoders.published import save, sound


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EMOLLAMA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("EMOLLAMA_NO_HUB", "1")
    return tmp_path / "home"


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    import sys

    before, sys.argv = sys.argv, ["emollama", *words]
    try:
        with pytest.raises(SystemExit) as left:
            cli.main()
    finally:
        sys.argv = before
    out = capsys.readouterr()
    return int(left.value.code or 0), out.out, out.err


def pickled(folder: Path) -> dict[str, torch.Tensor]:
    """Turn a saved folder into one as older releases are: pickled, weight norm under old names."""
    tensors = {
        name.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): tensor
        for name, tensor in load_file(folder / "model.safetensors").items()
    }
    torch.save(tensors, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    return tensors


def test_a_linked_folder_is_found_by_name(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save("hubert-base", tmp_path / "mine")
    code, out, _ = run(capsys, "assets", "link", "hubert-base", str(tmp_path / "mine"))
    assert code == 0 and out == f"hubert-base: {home}/hubert-base -> {tmp_path}/mine\n"
    assert model_folder("hubert-base").resolve() == tmp_path / "mine"
    rows = {row.model.name: row.folder for row in list_models()}
    assert list(rows) == list(MODELS)
    assert [name for name, folder in rows.items() if folder] == ["hubert-base"]
    # Again, elsewhere, and through the folder itself.
    save("hubert-base", tmp_path / "other")
    link("hubert-base", tmp_path / "other")
    link("hubert-base", home / "hubert-base")
    assert model_folder("hubert-base").resolve() == tmp_path / "other"
    code, out, _ = run(capsys, "assets", "list")
    assert code == 0 and "hubert-base" in out and "mtcnn" in out


def test_pickled_weights_are_read_only_when_asked(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "old"
    save("chinese-hubert-large", folder)
    link("chinese-hubert-large", folder)
    (before,) = parse_encoder("chinese-hubert-large").encode([sound(1.0)])
    tensors = pickled(folder)
    assert "encoder.pos_conv_embed.conv.weight_g" in tensors
    (home / "chinese-hubert-large").unlink()
    with pytest.raises(EmollamaError, match=r"pickled weights are not read.*--convert"):
        link("chinese-hubert-large", folder)
    (home / "chinese-hubert-large").symlink_to(folder)
    with pytest.raises(EmollamaError, match=r"pickled weights are not read"):
        _ = parse_encoder("chinese-hubert-large").width
    (home / "chinese-hubert-large").unlink()
    place = link("chinese-hubert-large", folder, convert=True)
    assert not place.is_symlink() and not (folder / "model.safetensors").exists()
    (after,) = parse_encoder("chinese-hubert-large").encode([sound(1.0)])
    assert before is not None and after is not None
    np.testing.assert_allclose(after.values, before.values, atol=1e-6)
    assert sorted(p.name for p in home.iterdir()) == ["chinese-hubert-large"]
    with pytest.raises(EmollamaError, match="already exists and is not a link; remove it first"):
        link("chinese-hubert-large", folder)


def test_nothing_but_tensors_is_unpickled(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "evil"
    save("hubert-base", folder)
    (folder / "model.safetensors").unlink()
    torch.save({"a": Path("/")}, folder / "pytorch_model.bin")
    with pytest.raises(EmollamaError, match=r"model.bin: is not a checkpoint of plain tensors"):
        link("hubert-base", folder, convert=True)
    assert not (home / "hubert-base").exists() and not list(home.glob(".*.tmp"))


def test_mistakes_are_one_line(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save("bert-base-uncased", tmp_path / "bert")
    empty = tmp_path / "empty"
    empty.mkdir()
    capsys.readouterr()  # what transformers says of its own writing
    for name, folder, message in (
        ("hubert-bass", "bert", "model 'hubert-bass' is unknown; did you mean 'hubert-base'?"),
        ("hubert-base", "bert", "model_type is 'bert', 'hubert-base' needs 'hubert'"),
        (
            "hubert-base",
            "nowhere",
            "nowhere: is not a folder (no such folder); it should hold 'hubert-base'",
        ),
        ("hubert-base", "empty", "config.json: cannot be read"),
    ):
        code, _, err = run(capsys, "assets", "link", name, str(tmp_path / folder))
        assert code == 2 and message in err and err.count("\n") == 1
    (empty / "config.json").write_text(json.dumps({"model_type": "hubert"}))
    with pytest.raises(EmollamaError, match=r"holds no \*.safetensors weights of 'hubert-base'"):
        link("hubert-base", empty)
    with pytest.raises(EmollamaError, match="holds neither"):
        link("hubert-base", empty, convert=True)
    assert not home.exists() or list(home.glob("[!.]*")) == []
    with pytest.raises(
        EmollamaError,
        match=r"its weights were not found .* download facebook/hubert-base-ls960 .* assets link",
    ):
        _ = parse_encoder("hubert-base").fingerprint
    with pytest.raises(EmollamaError, match="get its weights in the transformers format"):
        model_folder("mer-mae-large")
    (home / "wavlm-base").symlink_to(tmp_path / "gone")
    with pytest.raises(EmollamaError, match=r"is a link to .*gone, which does not exist"):
        model_folder("wavlm-base")
