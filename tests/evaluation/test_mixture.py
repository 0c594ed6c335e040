"""A model of two corpora is evaluated on one of them, and on another, by that corpus's labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from emollama.base.config import load_config
from emollama.base.errors import EmollamaError
from emollama.evaluation.config import EvalConfig
from emollama.evaluation.evaluate import evaluate
from emollama.explain.case import Settings
from emollama.explain.explaining import Chosen, explain_split
from emollama.fusion.training.config import FusionTrainConfig
from emollama.fusion.training.loop import train_fusion
from emollama.llm.training.config import TrainConfig
from emollama.llm.training.sft import train
from emollama.manifest.sample import read_manifest, write_manifest
from emollama.scoring.predictions.predictions import read_predictions
from emollama.session.family import load_training
from tests.inputs.corpora import make_corpora
from tests.tiny import tiny_llm

STREAMS = [{"name": c, "channel": c, "source": c} for c in ("voice", "face")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpora")
    common = {"output": str(folder / "llm-run"), "data": make_corpora(folder)}
    llm = {
        **common,
        "model": {"llm": str(tiny_llm(folder / "llm")), "dtype": "float32", "streams": STREAMS,
                  "lora": {"r": 2, "alpha": 4}},
        "training": {"max_steps": 1, "batch_size": 4, "micro_batch": 4},
    }  # fmt: skip
    fusion = {
        **common,
        "output": str(folder / "fusion-run"),
        "fusion": {"system": "early", "modalities": STREAMS},
        "training": {"epochs": 8, "batch_size": 6, "learning_rate": 0.05},
    }
    for name, values in (("llm", llm), ("fusion", fusion)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(values))
    return folder


@pytest.fixture(scope="module")
def models(folder: Path) -> dict[str, Path]:
    tuned, fused = (load_training(folder / f"{n}.yaml", []) for n in ("llm", "fusion"))
    assert isinstance(tuned, TrainConfig) and isinstance(fused, FusionTrainConfig)
    return {"llm": train(tuned), "fusion": train_fusion(fused)}


def evaluated(model: Path, corpus: Path, output: Path, *options: str) -> Any:
    path = output.with_suffix(".yaml")
    data = {"manifest": str(corpus / "manifest.jsonl"), "store": str(corpus / "store")}
    values = {"model": str(model), "output": str(output), "data": data, "bootstrap": 100}
    path.write_text(yaml.safe_dump(values))
    found = evaluate(load_config(EvalConfig, path, options))
    return found.report, read_predictions(output / "predictions.jsonl")


@pytest.mark.parametrize("family", ["llm", "fusion"])
def test_a_corpus_is_scored_on_its_own_labels(
    folder: Path, models: dict[str, Path], tmp_path: Path, family: str
) -> None:
    report, predictions = evaluated(models[family], folder / "german", tmp_path / "out")
    header, rows = predictions.header, predictions.rows
    assert header.labels.labels == ("neutral", "happy", "angry")
    assert header.settings["labels left out"] == "boredom 2"  # those of the tested split
    assert {r.id for r in rows} == {f"clip-{i:02d}" for i in range(3, 40, 4)} - {
        "clip-15", "clip-31",
    }  # fmt: skip
    for row in rows:
        assert row.reference is not None and set(row.scores or {}) == set(header.labels.labels)
        assert "face" not in row.channels
    assert report is not None


def test_a_clip_of_training_is_told(
    folder: Path, models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluated(models["fusion"], folder / "java", tmp_path / "out", "data.split=train")
    assert "8 of 8 tested samples were in the model's training split" in capsys.readouterr().err


def test_another_corpus_needs_a_map(folder: Path, models: dict[str, Path], tmp_path: Path) -> None:
    manifest = read_manifest(folder / "german/manifest.jsonl")
    other = tmp_path / "other"
    write_manifest(other / "manifest.jsonl", "other", manifest.labels, manifest.samples)
    (other / "store").symlink_to(folder / "german/store")
    with pytest.raises(EmollamaError, match=r"boredom; data.map can translate them"):
        evaluated(models["fusion"], other, tmp_path / "first")
    with pytest.raises(EmollamaError, match="holds no features of 'face'"):
        evaluated(models["fusion"], other, tmp_path / "second", "data.map={boredom: null}")
    _, predictions = evaluated(
        models["fusion"], other, tmp_path / "third", "data.lacks=[face]", "data.map={boredom: sad}"
    )
    assert predictions.header.labels.labels == ("neutral", "happy", "sad", "angry")
    assert len({r.id for r in predictions.rows}) == 10
    assert "labels left out" not in predictions.header.settings


def test_a_clip_is_explained_by_its_corpus(
    folder: Path, models: dict[str, Path], tmp_path: Path
) -> None:
    german = folder / "german"
    chosen = Chosen(
        german / "manifest.jsonl", german / "store", split="test", ids=("clip-03", "clip-15")
    )
    explain_split(models["fusion"], chosen, tmp_path, Settings(orders=2))
    cases = [json.loads(p.read_text()) for p in sorted((tmp_path / "cases").rglob("*.json"))]
    assert len(cases) == 2


def test_the_keys_of_a_map_change_nothing_where_they_are_not_given(
    models: dict[str, Path], folder: Path
) -> None:
    config = EvalConfig.model_validate(
        {"model": models["llm"], "output": folder, "data": {"manifest": folder}}
    )
    assert not {"map", "lacks"} & set(json.loads(config.model_dump_json())["data"])
