"""Presets by name, wherever the package lies."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from emollama.base import presets
from emollama.base.errors import EmollamaError
from emollama.base.presets import find_preset

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("kind", "name", "file"),
    [
        ("train", "quickstart", "train_configs/quickstart.yaml"),
        ("train", "quickstart.yaml", "train_configs/quickstart.yaml"),
        ("train", "train_configs/quickstart.yaml", "train_configs/quickstart.yaml"),
        ("evaluate", "quickstart", "eval_configs/quickstart.yaml"),
        ("evaluate", "eval_configs/meld.yaml", "eval_configs/meld.yaml"),
        ("bench", "probe", "train_configs/bench/probe.yaml"),
        ("bench", "bench/probe", "train_configs/bench/probe.yaml"),
        ("arena", "people", "eval_configs/arena/people.yaml"),
        ("deepspeed", "zero2", "train_configs/deepspeed/zero2.json"),
        ("deepspeed", "train_configs/deepspeed/zero2.json", "train_configs/deepspeed/zero2.json"),
    ],
)
def test_a_preset_is_found_from_any_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: presets.Kind, name: str, file: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_preset(kind, name) == ROOT / file


def test_a_file_that_is_there_is_taken_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("quickstart.yaml").touch()
    Path("meld").mkdir()
    assert find_preset("train", "quickstart.yaml") == Path("quickstart.yaml")
    assert find_preset("train", "meld") == ROOT / "train_configs/meld.yaml"


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("train", "quick", "nearest names: quickstart, quickstart-dpo"),
        ("evaluate", "EMOTION", "nearest names: eval_emotion"),
        ("train", "quikstart", "nearest names: quickstart, quickstart-dpo"),
        ("train", "xyzzy", "no preset of that name; presets: Emotion-LLaMA_finetune, "),
        ("evaluate", "mosei-hri-v2", "the preset of that name is for 'emollama train'"),
        ("train", "{here}/quickstart.yaml", "{here}/quickstart.yaml: cannot be read: no such file"),
        ("train", "{here}", "{here}: is a folder"),
        (
            "train",
            "runs/mine/quickstart.yaml",
            "mine/quickstart.yaml: cannot be read: no such file",
        ),
    ],
)
def test_an_unknown_preset_is_told_with_the_nearest_names(
    tmp_path: Path, kind: presets.Kind, name: str, message: str
) -> None:
    with pytest.raises(EmollamaError) as error:
        find_preset(kind, name.format(here=tmp_path))
    assert message.format(here=tmp_path) in str(error.value)


def test_in_a_wheel_they_lie_in_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "site-packages/emollama"
    shutil.copytree(ROOT / "train_configs", package / "presets/train_configs")
    monkeypatch.setattr(presets, "__file__", str(package / "base/presets.py"))
    assert find_preset("train", "quickstart").is_relative_to(package)
