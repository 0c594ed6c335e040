"""Artefacts held side by side: merged is the same, another training is not."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from emollama.base.config import load_config
from emollama.base.errors import EmollamaError
from emollama.cli.app import app
from emollama.evaluation.compare import Way, compare
from emollama.llm.heads.clue_heads import ClueHeads, write_heads
from emollama.llm.heads.head import Head
from emollama.llm.interop.export import export
from emollama.llm.training.config import TrainConfig
from emollama.llm.training.sft import train
from tests.llm.training.corpus import WIDTHS, make


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("compare")
    config = make(folder)
    train(load_config(TrainConfig, config, [f"output={folder}/a"]))
    train(load_config(TrainConfig, config, [f"output={folder}/b", "seed=8"]))
    return folder, config


def test_merged_is_the_same_and_another_seed_is_not(trained: tuple[Path, Path]) -> None:
    folder, _ = trained
    export(folder / "a/model", folder / "merged")
    manifest = folder / "manifest.jsonl"
    same = compare(folder / "a/model", folder / "merged", manifest, None, split="val")
    assert same.same and same.largest < 1e-4 and same.settings == () and same.samples == 6
    other = compare(folder / "a/model", folder / "b/model", manifest, None, split="val")
    assert not other.same and other.largest > 0.1
    call = ["compare", str(folder / "a/model"), str(folder / "b/model"), "--manifest",
            str(manifest), "--split", "val"]  # fmt: skip
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 1 and "they differ: logits by up to" in result.output


def test_samples_are_those_that_both_can_read(trained: tuple[Path, Path], tmp_path: Path) -> None:
    """The second model's features lack a clip that the first one's have."""
    folder, config = trained
    shutil.copytree(folder / "voice", tmp_path / "voice")
    source = f"model.streams.0.source=npy:{tmp_path}/voice"
    train(load_config(TrainConfig, config, [f"output={tmp_path}/d", source]))
    missing = sorted((tmp_path / "voice").glob("*.npy"))[0]
    missing.unlink()
    found = compare(
        folder / "a/model", tmp_path / "d/model", folder / "manifest.jsonl", None, split="val",
        count=6, ways=(Way("bfloat16"), Way("bfloat16")),
    )  # fmt: skip
    assert found.samples == 5 and found.worst != missing.stem
    assert found.same and found.tolerance == 0.25
    assert any("streams: " in line for line in found.settings)


def test_clues_in_the_prompts_that_differ_are_named(
    trained: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, _ = trained
    shutil.copytree(folder / "a/model", tmp_path / "model")
    width = WIDTHS["voice"]
    ones, none = np.ones(width, np.float32), np.zeros((1, width), np.float32)
    head = Head({"voice": width}, ones, ones, none, ones[:1])  # names its clue of every voice
    write_heads(ClueHeads(0.01, {"voice": head}, {"voice": ("high pitch",)}), tmp_path / "model")
    line = "clue heads: none against 1 clues of the voice, named above 0.01"
    with pytest.raises(EmollamaError, match=f"cannot be compared: {line}"):
        compare(folder / "a/model", tmp_path / "model", folder / "manifest.jsonl", None,
                split="val")  # fmt: skip


def test_models_of_other_prompts_are_refused(trained: tuple[Path, Path]) -> None:
    folder, config = trained
    overrides = [f"output={folder}/c", "model.streams.0.tokens=1", "training.max_steps=1"]
    train(load_config(TrainConfig, config, overrides))
    with pytest.raises(EmollamaError, match="cannot be compared"):
        compare(
            folder / "a/model", folder / "c/model", folder / "manifest.jsonl", None, split="val"
        )
