"""Evaluating where the corpus is not the one that the model was trained on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from emollama.base.config import load_config
from emollama.base.errors import EmollamaError
from emollama.evaluation.config import EvalConfig, EvalData
from emollama.evaluation.evaluate import evaluate
from emollama.llm.training.config import TrainConfig
from emollama.llm.training.sft import train
from emollama.manifest.sample import read_manifest, write_manifest
from emollama.scoring.predictions.predictions import read_predictions
from tests.llm.training.corpus import make


def test_external_features_of_another_corpus_lie_in_a_folder_of_their_own(tmp_path: Path) -> None:
    config = load_config(TrainConfig, make(tmp_path), ["training.max_steps=1"])
    model = train(config)

    def run(name: str, features: Path | None) -> list[list[float]]:
        data = EvalData(manifest=config.data.manifest, split="val", features=features)
        evaluate(
            EvalConfig(model=model, output=tmp_path / name, data=data, baseline=False,
                       modality_report="none")
        )  # fmt: skip
        written = read_predictions(tmp_path / name / "predictions.jsonl")
        return [list((row.scores or {}).values()) for row in written.rows]

    before = run("before", None)
    for stream in ("voice", "face"):
        (tmp_path / "elsewhere").mkdir(exist_ok=True)
        shutil.move(tmp_path / stream, tmp_path / "elsewhere" / stream)
    with pytest.raises(EmollamaError, match="voice"):
        run("lost", None)
    assert run("after", tmp_path / "elsewhere") == before and before[0]


def test_words_alone_with_the_turns_before_them(tmp_path: Path) -> None:
    """No stream at all: trained, evaluated, and what was said before changes the answer."""
    path = make(tmp_path)
    options = ["model.streams=[]", "model.context=3", "tasks.reason.share=0",
               "training.pack_tokens=400", "training.max_steps=3"]  # fmt: skip
    config = load_config(TrainConfig, path, options)
    manifest = read_manifest(config.data.manifest)

    def answers(name: str, context: tuple[str, ...]) -> list[dict[str, float] | None]:
        samples = [s.model_copy(update={"context": context}) for s in manifest.samples]
        write_manifest(config.data.manifest, "tiny", manifest.labels, samples)
        data = EvalData(manifest=config.data.manifest, split="val")
        report = evaluate(
            EvalConfig(model=config.output / "model", output=tmp_path / name, data=data,
                       baseline=False)
        )  # fmt: skip
        assert report
        written = read_predictions(tmp_path / name / "predictions.jsonl")
        assert {row.channels for row in written.rows} == {("words",)}
        return [row.scores for row in written.rows]

    train(config)
    alone = answers("alone", ())
    assert answers("told", ("Ann: I am so angry!", "Bob: Calm down.")) != alone
    assert answers("again", ()) == alone
