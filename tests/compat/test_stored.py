"""What users have stays: files made by an earlier release open today and give the same scores.

`make.py` says how `stored/` was made.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from emollama.base.config import load_config
from emollama.evaluation.config import EvalConfig
from emollama.evaluation.evaluate import evaluate
from emollama.features.extract import extract
from emollama.features.store import FeatureStore
from emollama.fusion.training.config import FusionTrainConfig
from emollama.fusion.training.loop import train_fusion
from emollama.llm.training.config import TrainConfig
from emollama.llm.training.sft import train
from emollama.manifest.sample import read_manifest
from emollama.manifest.split_file import read_split_file
from emollama.scoring.predictions.predictions import read_predictions

STORED = Path(__file__).parent / "stored"
SCORES = 1e-4
"""Relative; predictions keep five digits, the last of which another processor may move."""


MADE = {
    "clip-0.mp4": 1795916300279739396,
    "clip-1.mp4": 1795916300295739396,
    "clip-2.mp4": 1795916300371739399,
    "clip-3.mp4": 1795916300427739402,
    "clip-4.mp4": 1795916300487739404,
    "clip-5.mp4": 1795916300523739405,
    "clip-6.mp4": 1795916300563739407,
    "clip-7.mp4": 1795916300595739408,
}
"""When each clip was written, in ns: what was computed of it is kept under its size and time, and
git keeps no times.
"""


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to work in; the paths in its files start there."""
    folder = tmp_path / "stored"
    shutil.copytree(STORED, folder)
    for name, time in MADE.items():
        os.utime(folder / "media" / name, ns=(time, time))
    monkeypatch.chdir(folder)
    return folder


def scores(path: Path) -> dict[tuple[str, tuple[str, ...]], dict[str, float]]:
    return {(r.id, tuple(r.channels)): dict(r.scores or {}) for r in read_predictions(path).rows}


def same(found: dict[Any, dict[str, float]], expected: dict[Any, dict[str, float]]) -> None:
    assert found.keys() == expected.keys() and expected
    for key, values in expected.items():
        assert found[key] == pytest.approx(values, rel=SCORES, abs=1e-12), key


@pytest.mark.parametrize("name", ["llm", "fusion"])
def test_an_artefact_gives_the_label_scores_it_gave(stored: Path, name: str) -> None:
    """For every set of channels; the predictions of then are read with today's code."""
    evaluate(load_config(EvalConfig, Path(f"eval-{name}.yaml"), ["output=now"]))
    same(
        scores(stored / "now/predictions.jsonl"), scores(STORED / f"eval-{name}/predictions.jsonl")
    )


def test_a_merged_artefact_gives_the_label_scores_it_gave(stored: Path) -> None:
    evaluate(load_config(EvalConfig, Path("eval-llm.yaml"), ["output=now", "model=merged"]))
    same(scores(stored / "now/predictions.jsonl"), scores(STORED / "eval-llm/predictions.jsonl"))


def test_a_language_model_run_goes_on_from_its_checkpoint(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And ends with the weights of the run that was never interrupted."""
    shutil.rmtree(stored / "llm-run/model")
    model = train(load_config(TrainConfig, Path("llm.yaml")))
    assert "checkpoint-4" in capsys.readouterr().err
    record = json.loads((model / "training_record.json").read_text())
    assert record["steps"] == 6
    expected = load_file(STORED / "llm-run/model/adapter_model.safetensors")
    found = load_file(model / "adapter_model.safetensors")
    assert found.keys() == expected.keys()
    for key, tensor in expected.items():
        torch.testing.assert_close(found[key], tensor, atol=1e-6, rtol=1e-4, msg=key)


def test_a_fusion_run_goes_on_from_its_checkpoint(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(stored / "fusion-run/model")
    model = train_fusion(load_config(FusionTrainConfig, Path("fusion.yaml")))
    assert "checkpoint-6" in capsys.readouterr().err
    expected = load_file(STORED / "fusion-run/model/model.safetensors")
    found = load_file(model / "model.safetensors")
    assert found.keys() == expected.keys()
    for key, tensor in expected.items():
        torch.testing.assert_close(found[key], tensor, atol=1e-6, rtol=1e-4, msg=key)


def test_a_manifest_and_a_split_file_are_read(stored: Path) -> None:
    manifest = read_manifest(stored / "manifest.jsonl")
    assert [s.id for s in manifest.samples] == [f"clip-{i}" for i in range(8)]
    assert all(manifest.media(str(s.video)).is_file() for s in manifest.samples)
    assert [s.targets.emotion for s in manifest.samples[:4]] == ["happy", "sad", "angry", "neutral"]
    split = read_split_file(stored / "splits.jsonl")
    assert {i: split.splits[i] for i in ("clip-0", "clip-4", "clip-7")} == {
        "clip-0": "train", "clip-4": "val", "clip-7": "test",
    }  # fmt: skip


def test_a_feature_store_is_read_and_nothing_in_it_is_computed_again(stored: Path) -> None:
    from emollama.encoders.table import parse_encoder

    manifest = read_manifest(stored / "manifest.jsonl")
    report = extract(manifest, [parse_encoder("prosody")], stored / "store", workers=1)
    assert (report.kept, report.computed) == (8, 0)
    reader = FeatureStore.open(stored / "store").reader("prosody")
    assert reader.ids() == [f"clip-{i}" for i in range(8)]
    track = reader.get("clip-0")
    assert track is not None and track.values.shape == (1, reader.width) == (1, 18)
    assert track.values[0, :3] == pytest.approx([34.361671, 0.025152007, 0.044801660], rel=1e-6)
    assert track.times == pytest.approx([0.32])


def test_a_build_of_annotations_is_taken_up_where_it_was(stored: Path) -> None:
    """What was measured and decided is kept; sentences are those of today's templates."""
    from emollama.merr.build import Build
    from emollama.merr.settings import load_settings
    from emollama.merr.stages import run_all

    def files(folder: Path) -> dict[str, bytes]:
        worded = {"visual.jsonl", "tone.jsonl", "refine.jsonl", "caption.jsonl", "select.jsonl"}
        kept = [path for path in folder.glob("stages/*.json*") if path.name not in worded]
        return {path.name: path.read_bytes() for path in kept}

    expected = files(STORED / "merr")
    said: list[str] = []
    build = Build(
        stored / "merr", load_settings(stored / "merr/settings.json"), stored / "media",
        echo=said.append,
    )  # fmt: skip
    run_all(build)
    assert files(stored / "merr") == expected and len(expected) == 8
