"""A language model of two corpora: shares, tasks, scores of each, record and card."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from emollama.inputs.mixture import Mixture, read_corpora
from emollama.llm.training.config import TrainConfig
from emollama.llm.training.plan import plan
from emollama.llm.training.sft import train
from emollama.llm.training.validation import validation_f1
from emollama.manifest.sample import read_manifest, write_manifest
from emollama.session.family import load_training
from tests.inputs.corpora import COMMON, make_corpora
from tests.tiny import tiny_llm


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpora")
    config: dict[str, Any] = {
        "output": str(folder / "run"),
        "data": make_corpora(folder),
        "model": {
            "llm": str(tiny_llm(folder / "llm")),
            "dtype": "float32",
            "streams": [
                {"name": "voice", "channel": "voice", "source": "voice",
                 "initial_weights": "probe"},
                {"name": "face", "channel": "face", "source": "face"},
            ],
            "lora": {"r": 4, "alpha": 8},
        },
        "modality_dropout": {"voice": 0.3, "face": 0.3, "words": 0.3},
        "training": {
            "max_steps": 4, "batch_size": 4, "micro_batch": 4, "warmup_steps": 1,
            "log_every_steps": 1, "evaluate_every_steps": 2, "keep_best": True,
        },
    }  # fmt: skip
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def load(folder: Path, *options: str) -> TrainConfig:
    found = load_training(folder / "config.yaml", options)
    assert isinstance(found, TrainConfig)
    return found


def test_a_run_over_two_corpora(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = train(load(folder, f"output={tmp_path / 'run'}"))
    said = capsys.readouterr().err
    assert "java: 8 training samples, 12 of an epoch (50%)" in said
    assert "(german/weighted_f1 0." in said
    record = json.loads((model / "training_record.json").read_text())
    german, java = record["mixture"]
    assert (german["samples"], german["labels_left_out"]) == (16, {"boredom": 4})
    assert german["validation_samples"] == 8 and java["validation_samples"] == 4
    assert [r["step"] for r in record["validation"]] == [2, 4]
    for row in record["validation"]:
        each = [row["german/weighted_f1"], row["java/weighted_f1"]]
        assert row["weighted_f1"] == pytest.approx(np.mean(each))
    card = (model / "README.md").read_text()
    assert "| java | 8 | 50% | not given | voice, face, words |" in card


def test_a_label_outside_the_set_still_trains_its_reason(folder: Path, tmp_path: Path) -> None:
    manifest = read_manifest(folder / "german/manifest.jsonl")
    samples = [
        s.model_copy(update={"targets": s.targets.model_copy(update={"reason": "It is heard."})})
        for s in manifest.samples
    ]
    path = tmp_path / "manifest.jsonl"
    write_manifest(path, "german", manifest.labels, samples)
    config = load(folder, f"data.manifests.0.manifest={path}", "tasks.reason.share=1")
    assert plan(config).lengths.samples > 0
    model = train(
        config.model_copy(
            update={
                "output": tmp_path / "run",
                "training": config.training.model_copy(update={"max_steps": 1}),
            }
        )
    )
    record = json.loads((model / "training_record.json").read_text())
    assert [p["samples"] for p in record["mixture"]] == [20, 8]  # with the bored ones


def test_an_epoch_holds_each_corpus_by_its_share(folder: Path) -> None:
    from emollama.inputs.mixture import balance_of, store_of
    from emollama.llm.evidence import EvidenceReader, fit_clues, open_streams, training_samples
    from emollama.llm.layout import get_layout
    from emollama.llm.processing import EmotionLlamaProcessor, load_tokenizer
    from emollama.llm.training.instructions import InstructionSchedule

    config = load(folder, "data.manifests.1.share=3")
    mixture = read_corpora(config.data)
    streams, readers = open_streams(store_of(mixture, config.data), config.model.streams)
    samples, left_out = training_samples(mixture, config.data, readers, config.tasks.shares)
    assert not left_out
    processor = EmotionLlamaProcessor(
        load_tokenizer(folder / "llm"), get_layout(config.model.layout), streams, mixture.labels,
        config.tasks.clues, 0,
    )  # fmt: skip
    schedule = InstructionSchedule(
        samples, EvidenceReader(readers, fit_clues(readers, samples)), processor, config.tasks,
        config.modality_dropout, 7, steps=6, batch_size=4,
        balance=balance_of(mixture, samples),
    )  # fmt: skip
    seen: Counter[str] = Counter()
    encode = schedule.encode
    repeats: list[tuple[str, int]] = []

    def noted(sample: Any, epoch: int, repeat: int = 0) -> Any:
        seen[sample.id.partition("/")[0]] += 1
        repeats.append((sample.id, repeat))
        return encode(sample, epoch, repeat)

    schedule.encode = noted  # type: ignore[method-assign]
    for step in range(6):
        schedule.step(step)
    assert seen == {"german": 6, "java": 18} and len(set(repeats)) == 24


def test_a_clip_is_answered_with_a_label_of_its_corpus(folder: Path) -> None:
    mixture = read_corpora(load(folder).data)
    assert isinstance(mixture, Mixture)
    samples = [s for s in mixture.split("val") if s.targets.emotion]
    scores = np.full((len(samples), len(COMMON)), 0.01)
    scores[:, COMMON.index("surprise")] = 0.9
    for row, sample in enumerate(samples):
        scores[row, COMMON.index(str(sample.targets.emotion))] += 0.05
    mean, parts = validation_f1(scores, samples, mixture)
    assert parts["german/weighted_f1"] == 1.0 and parts["java/weighted_f1"] == pytest.approx(0.1)
    assert mean == pytest.approx(0.55)
