"""A table of clips without splits, groups or speakers, all the way by the README's commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emollama.cli.app import app
from emollama.cli.scripts import run_evaluation, run_training
from emollama.manifest.sample import read_manifest
from tests.media.recording import record
from tests.tiny import tiny_llm

PRESETS = Path(__file__).parents[1]
CLIPS = 20
LABELS = ("happy", "sad", "angry", "neutral", "surprise")


def test_a_plain_table_goes_all_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("clips").mkdir()
    rows = ["path,subtitle,label"]
    for i in range(CLIPS):
        record(Path(f"clips/{i}.mp4"), seconds=1 + i / 50, size=(32, 24), fps=25, voice=True)
        rows.append(f"clips/{i}.mp4,This is number {i}.,{LABELS[i % 5]}")
    Path("clips.csv").write_text("\n".join(rows) + "\n")

    def emollama(line: str) -> str:
        with pytest.raises(SystemExit) as left:
            raise SystemExit(app(line.split(), standalone_mode=False))
        assert not left.value.code
        return capsys.readouterr().out

    said = emollama("prepare csv clips.csv --out manifest.jsonl --column text=subtitle")
    assert "by clip" in said and "train: 14" in said
    manifest = read_manifest(Path("manifest.jsonl"))
    assert [len(manifest.split(name)) for name in ("train", "val", "test")] == [14, 3, 3]
    assert "errors: 0" in emollama("doctor manifest.jsonl --no-faces --workers 1")
    said = emollama("extract manifest.jsonl --store features --encoders prosody --workers 1")
    assert f"{CLIPS} ok" in said

    tiny_llm(Path("llm"))
    data = ["data.manifest=manifest.jsonl", "data.store=features"]
    stream = "{name: prosody, channel: voice, source: prosody+segments=1, initial_weights: probe}"
    run_training(
        PRESETS / "train_configs/quickstart.yaml",
        [*data, "output=run", "tasks.reason.share=0", "training.max_steps=2", "model.llm=llm",
         f"model.streams=[{stream}]"],
    )  # fmt: skip
    for name, options in (("eval", []), ("folds", ["data.validation_split=null"])):
        run_evaluation(
            PRESETS / "eval_configs/quickstart.yaml",
            [*data, "model=run/model", f"output={name}", "reasons.count=1", "bootstrap=100",
             *options],
        )  # fmt: skip
        report = json.loads(Path(f"{name}/report.json").read_text())
        assert report["scores"]["weighted_f1"]["value"] is not None
        assert "logistic regression" in {other["system"] for other in report["others"]}
