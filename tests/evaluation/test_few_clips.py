"""Corpora too small for the baselines that a model is compared with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from emollama.base.config import load_config
from emollama.evaluation.config import EvalConfig
from emollama.evaluation.evaluate import evaluate
from emollama.manifest.sample import read_manifest, write_manifest

STORED = Path(__file__).parents[1] / "compat/stored"


@pytest.mark.parametrize("model", ["llm", "fusion"])
def test_without_two_emotions_to_learn_there_is_no_baseline_and_a_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: str
) -> None:
    shutil.copytree(STORED, tmp_path / "stored")
    monkeypatch.chdir(tmp_path / "stored")
    manifest = read_manifest(Path("manifest.jsonl"))
    samples = [
        s.model_copy(update={"targets": s.targets.model_copy(update={"emotion": "sad"})})
        if s.split == "train"
        else s
        for s in manifest.samples
    ]
    write_manifest(manifest.path, manifest.corpus, manifest.labels, samples)
    options = ["output=now", "baseline=true", "modality_report=none"]
    found = evaluate(load_config(EvalConfig, Path(f"eval-{model}.yaml"), options))
    assert "no classical baselines: the training split has fewer than two" in (
        capsys.readouterr().err
    )
    assert found.report is not None and not found.report["others"]
    assert not Path("now/baseline.jsonl").exists()
    assert json.loads(Path("now/report.json").read_text())["scores"]
