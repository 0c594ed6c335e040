"""eval_emotion.py on a tiny model: alone, killed and resumed, in two processes."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from emollama.base.config import load_config
from emollama.base.errors import EmollamaError
from emollama.endpoints import judge as judges
from emollama.evaluation.asking import Questions
from emollama.evaluation.config import EvalConfig
from emollama.evaluation.evaluate import evaluate
from emollama.llm.training.config import TrainConfig
from emollama.llm.training.sft import train
from emollama.manifest.sample import read_manifest, write_manifest
from emollama.scoring.predictions.prediction import MODEL, Prediction
from emollama.scoring.predictions.predictions import read_predictions
from emollama.scoring.predictions.systems import SHOWN, TEMPLATE, WITHOUT_CLUES
from emollama.workers.shares import Share
from tests import warm
from tests.llm.training.corpus import make
from tests.processes import kill_all, torchrun

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu"}


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluate")
    asked = make(folder, 40)
    clips = read_manifest(folder / "manifest.jsonl")
    told = [s.model_copy(update={"clues": {"voice": "low pitch"}}) for s in clips.samples]
    write_manifest(folder / "manifest.jsonl", "tiny", clips.labels, told)
    train(load_config(TrainConfig, asked))
    path = folder / "eval.yaml"
    config = {
        "model": str(folder / "run/model"),
        "output": str(folder / "whole"),
        "data": {"manifest": str(folder / "manifest.jsonl"), "split": "train"},
        "dtype": "float32",
        "batch_size": 1,
        "modality_report": "singles",
        "baseline": False,
        "reasons": {"count": 30, "max_new_tokens": 40},
        "bootstrap": 100,
        "seed": 5,  # of the intervals; the model was trained with 7
    }
    path.write_text(yaml.safe_dump(config))
    return path


def config(preset: Path, *options: str) -> EvalConfig:
    return load_config(EvalConfig, preset, options)


def rows(output: Path) -> list[Prediction]:
    found = read_predictions(output / "predictions.jsonl").rows
    return list(found)


@pytest.fixture(scope="module")
def whole(preset: Path) -> list[Prediction]:
    evaluate(config(preset))
    written = rows(preset.parent / "whole")
    found = [r for r in written if r.system == MODEL]
    unaided = [r for r in written if r.system == WITHOUT_CLUES]
    assert {r.system for r in written} == {MODEL, SHOWN, TEMPLATE, WITHOUT_CLUES}
    # The prompts without clues are others, and the answers to explain the same.
    assert [(r.id, r.label) for r in unaided] == [(r.id, r.label) for r in found[90:]]
    assert [r.reason for r in unaided] != [r.reason for r in found[90:]]
    # 30 clips, each with voice, face, words and all three; the last with reasons.
    assert len(found) == 120 and not (preset.parent / "whole/partial").exists()
    assert [r.id for r in found[:30]] == sorted(r.id for r in found[:30])
    assert all(r.reason is not None for r in found[90:]) and found[0].reason is None
    report = json.loads((preset.parent / "whole/report.json").read_text())
    assert (report["training_seed"], report["bootstrap"]["seed"]) == (7, 5)
    return written


def test_killed_and_resumed_is_uninterrupted(
    preset: Path, whole: list[Prediction], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    ask = Questions._scores

    def interrupted(self: Questions, channels: Any, ids: Any) -> Any:
        if len(asked) >= 40 and stop:
            raise KeyboardInterrupt
        asked.extend(ids)
        return ask(self, channels, ids)

    monkeypatch.setattr(Questions, "_scores", interrupted)
    stop = True
    with pytest.raises(KeyboardInterrupt):
        evaluate(config(preset, f"output={tmp_path}"))
    kept = tmp_path / "partial/rank0.jsonl"
    with kept.open("a") as out:
        out.write('{"pass": "face", "chunk": 99, "ans')  # a line that a killed process left
    stop = False
    evaluate(config(preset, f"output={tmp_path}"))
    assert rows(tmp_path) == whole
    assert len(asked) == 120, "what was kept is not asked again"
    assert (tmp_path / "report.json").is_file() and not kept.parent.exists()


def test_other_settings_begin_anew(
    preset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def refuse(*_: Any) -> Any:
        raise KeyboardInterrupt

    plain = (f"output={tmp_path}", "reasons.count=2", "modality_report=none")
    monkeypatch.setattr(Questions, "_scores", refuse)
    with pytest.raises(KeyboardInterrupt):
        evaluate(config(preset, *plain))
    monkeypatch.undo()
    found = evaluate(config(preset, *plain, "reasons.max_new_tokens=3"))
    assert "starting from scratch" in capsys.readouterr().err
    assert found.report is not None and found.scores is None


def test_shards_are_one_evaluation_and_a_missing_one_is_told(
    preset: Path, whole: list[Prediction], tmp_path: Path
) -> None:
    asked = config(preset, f"output={tmp_path}")
    with pytest.raises(EmollamaError, match="no shard has been run"):
        evaluate(asked, merge=True)
    evaluate(asked, Share(0, 2))
    with pytest.raises(EmollamaError, match=r"lacks \d+ batches.*run --shard 1/2 to its end"):
        evaluate(asked, merge=True)
    with pytest.raises(EmollamaError, match=r"holds answers of another model.*another output"):
        evaluate(config(preset, f"output={tmp_path}", "batch_size=2"), Share(1, 2))
    evaluate(asked, Share(1, 2))
    journal = tmp_path / "partial/1-of-2.jsonl"
    left = journal.read_bytes()
    journal.write_bytes(left[:-9])  # as a kill leaves it
    evaluate(asked, Share(1, 2))
    assert journal.read_bytes().count(b"\n") == left.count(b"\n")
    evaluate(asked, merge=True)
    one, merged = (f / "predictions.jsonl" for f in (preset.parent / "whole", tmp_path))
    # The header has a hash of the configuration, in which the output is another.
    assert merged.read_bytes().split(b"\n", 1)[1] == one.read_bytes().split(b"\n", 1)[1]
    assert not (tmp_path / "partial").exists()


def start(preset: Path, output: Path) -> subprocess.Popen[str]:
    return warm.Popen(
        [*torchrun(), str(ROOT / "eval_emotion.py"), "--cfg-path", str(preset),
         "--options", f"output={output}"],
        cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip


def test_two_processes_killed_and_resumed_are_one(
    preset: Path, whole: list[Prediction], tmp_path: Path
) -> None:
    first = start(preset, tmp_path)
    deadline = time.monotonic() + 300
    while len(list(tmp_path.glob("partial/rank*.jsonl"))) < 2 and first.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert first.poll() is None
    kill_all(first)
    kept = [p.read_text() for p in sorted(tmp_path.glob("partial/rank*.jsonl"))]
    assert not (tmp_path / "predictions.jsonl").exists()
    second = start(preset, tmp_path)
    while not (tmp_path / "predictions.jsonl").exists() and second.poll() is None:
        for path, before in zip(
            sorted(tmp_path.glob("partial/rank*.jsonl")), kept, strict=False
        ):  # fmt: skip
            whole_lines = before[: before.rfind("\n") + 1]
            assert path.read_text().startswith(whole_lines), "what was kept is not asked again"
        time.sleep(0.05)
    said, _ = second.communicate(timeout=300)
    assert second.returncode == 0, said
    assert said.count("report in") == 1 and "Traceback" not in said
    found = rows(tmp_path)
    assert [(r.id, r.channels, r.label, r.reason) for r in found] == [
        (r.id, r.channels, r.label, r.reason) for r in whole
    ]
    for mine, theirs in zip(found, whole, strict=True):
        assert mine.scores == pytest.approx(theirs.scores, abs=1e-5)


def test_labels_read_from_text(preset: Path, tmp_path: Path) -> None:
    call = (f"output={tmp_path}", "answers.by=text", "answers.max_new_tokens=3",
            "answers.parser=upstream", "modality_report=none", "reasons.count=0",
            "data.fold=1", "metrics=[weighted_f1_upstream]")  # fmt: skip
    found = evaluate(config(preset, *call))
    answered = rows(tmp_path)
    assert all(r.answer is not None and r.scores is None and r.fold == "1" for r in answered)
    assert {r.parse_failure for r in answered} <= {None, "last word is no label", "empty answer"}
    assert found.report is not None and found.scores is not None
    failed = sum(r.label is None for r in answered)
    assert sum(found.report["failures"].values()) == failed
    names = [r["metric"] for r in found.scores["results"]]
    assert names == ["weighted_f1_upstream", "weighted_f1"]
    assert sum(found.scores["results"][0]["failures"].values()) == failed


def test_reasons_of_clips_without_a_label_need_a_judge(
    preset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = read_manifest(preset.parent / "manifest.jsonl")
    samples = [
        s.model_copy(update={"targets": s.targets.model_copy(update={"emotion": None})})
        for s in manifest.split("val")
    ]
    write_manifest(tmp_path / "emer.jsonl", "emer-v1", manifest.labels, samples)
    call = ("task=reason", f"data.manifest={tmp_path}/emer.jsonl", "data.split=val",
            f"output={tmp_path}/out", "reasons.max_new_tokens=4")  # fmt: skip
    with pytest.raises(EmollamaError, match="only a judge can score explanations") as error:
        evaluate(config(preset, *call))
    assert str(error.value).startswith(str(tmp_path / "out/predictions.jsonl"))
    monkeypatch.setattr(judges, "MAX_TOKENS", 3)
    monkeypatch.setenv("EMOLLAMA_HOME", str(tmp_path / "home"))
    found = evaluate(config(preset, *call, f"judge.folder={preset.parent}/llm"))
    assert found.report is None and found.scores is not None
    overlap = found.scores["results"][0]
    assert overlap["metric"] == "clue_overlap" and overlap["n_total"] == 10
    assert overlap["n_scored"] + sum(overlap["failures"].values()) == 10
    page = (tmp_path / "out/metrics.md").read_text()
    assert "clue overlap" in page and json.loads((tmp_path / "out/metrics.json").read_text())


def test_labels_are_looked_for_in_reasons(preset: Path, tmp_path: Path) -> None:
    call = ("task=reason", f"output={tmp_path}", "reasons.max_new_tokens=6")
    found = evaluate(config(preset, *call))
    first = rows(tmp_path)[0]
    assert first.reason is not None and first.reference_reason and first.reference
    assert found.report is not None and found.report["scores"]["accuracy"]["n_scored"] == 30


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("metrics=[uarr]", "did you mean 'uar'"),
        ("judge.url=http://127.0.0.1:1", "also needs the name of the judge's model"),
        ("data.split=dev", "split 'dev' has no samples"),
        ("answers.parser=last", "answers.parser"),
        ("task=explain", "task"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(preset: Path, tmp_path: Path, option: str, message: str) -> None:
    with pytest.raises(EmollamaError, match=message) as error:
        evaluate(config(preset, f"output={tmp_path}", option))
    assert "\n" not in str(error.value)
