"""A fusion model of two corpora: shares, scores of each, record and card; one corpus as ever."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from emollama.base.errors import EmollamaError
from emollama.fusion.configuration import FusionTask
from emollama.fusion.data.data import read_data
from emollama.fusion.readout import Answers
from emollama.fusion.training.config import FusionTrainConfig
from emollama.fusion.training.dealing import Dealer
from emollama.fusion.training.loop import train_fusion
from emollama.fusion.training.validation import validate, validate_corpora
from emollama.inputs.config import ModalityDropout
from emollama.inputs.mixture import Mixture, read_corpora
from emollama.session.family import load_training
from tests.inputs.corpora import COMMON, make_corpora


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpora")
    config: dict[str, Any] = {
        "output": str(folder / "run"),
        "data": make_corpora(folder),
        "fusion": {
            "system": "early",
            "modalities": [{"name": c, "channel": c, "source": c} for c in ("voice", "face")],
        },
        "training": {"epochs": 3, "batch_size": 6, "learning_rate": 0.02, "select": "uar"},
    }
    (folder / "fusion.yaml").write_text(yaml.safe_dump(config))
    return folder


def load(folder: Path, *options: str) -> FusionTrainConfig:
    found = load_training(folder / "fusion.yaml", options)
    assert isinstance(found, FusionTrainConfig)
    return found


def test_a_run_over_two_corpora(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = train_fusion(load(folder))
    said = capsys.readouterr().err
    assert "german: 16 training samples, 12 of an epoch (50%); labels left out: boredom 4" in said
    record = json.loads((model / "training_record.json").read_text())
    assert record["samples"] == 24 and [p["corpus"] for p in record["mixture"]] == [
        "german", "java",
    ]  # fmt: skip
    assert record["mixture"][0]["validation_samples"] == 8
    for epoch in record["validation"]:
        each = [epoch["german/uar"], epoch["java/uar"]]
        assert epoch["uar"] == pytest.approx(np.mean(each))
    assert record["best"]["value"] == max(e["uar"] for e in record["validation"])
    card = (model / "README.md").read_text()
    assert (
        "| german | 16 | 50% | German | voice, words | neutral, happy, angry | boredom 4 |" in card
    )
    assert "The terms of `german`" in card and "The terms of `java`" in card


def test_the_same_seed_gives_the_same_bytes_and_resumes(folder: Path, tmp_path: Path) -> None:
    models = [train_fusion(load(folder, f"output={tmp_path / n}")) for n in ("one", "two")]
    first, second = ((m / "model.safetensors").read_bytes() for m in models)
    assert first == second
    with pytest.raises(EmollamaError, match="another configuration"):
        train_fusion(load(folder, f"output={tmp_path / 'one'}", "data.manifests.1.share=2"))


def test_an_epoch_holds_each_corpus_by_its_share(folder: Path) -> None:
    config = load(folder, "data.manifests.1.share=3")
    mixture, data = read(config)
    dropout = ModalityDropout(voice=0.5, face=0.5)
    deal = Dealer(
        data, 6, dropout, 7, {"voice": "voice", "face": "face"},
        balance=mixture.balance(data.samples),
    )  # fmt: skip
    batches = [deal.batch(0, index)[0] for index in range(deal.batches)]
    ids = [i for batch in batches for i in batch.ids]
    assert Counter(i.partition("/")[0] for i in ids) == {"german": 6, "java": 18}
    # A clip that comes again has draws of its own.
    drawn: dict[str, set[tuple[bool, bool]]] = {}
    for batch in batches:
        kept = torch.stack([batch.present(c) for c in ("voice", "face")], dim=1).tolist()
        for name, pair in zip(batch.ids, kept, strict=True):
            drawn.setdefault(name, set()).add(tuple(pair))
    assert max(len(pairs) for pairs in drawn.values()) > 1
    assert all(pairs == {(True, False)} for i, pairs in drawn.items() if i.startswith("german"))


def read(config: FusionTrainConfig, split: str = "train") -> tuple[Mixture, Any]:
    from emollama.fusion.data.data import open_modalities
    from emollama.inputs.mixture import store_of

    mixture = read_corpora(config.data)
    assert isinstance(mixture, Mixture)
    sections, readers = open_modalities(store_of(mixture, config.data), config.fusion.modalities)
    return mixture, read_data(mixture, split, config.task, mixture.labels, sections, readers)


def test_a_clip_is_answered_with_a_label_of_its_corpus(folder: Path) -> None:
    mixture, data = read(load(folder), "val")
    # Everybody is said to be surprised, which no German clip can be; the truth comes second.
    scores = np.full((len(data), len(COMMON)), 0.01)
    scores[:, COMMON.index("surprise")] = 0.9
    truth = data.targets.whole["label"].values.numpy()
    scores[np.arange(len(data)), truth] += 0.05
    task = FusionTask()
    found = validate_corpora(task, COMMON, Answers(scores.copy(), None), data, mixture).scores
    assert found["german/accuracy"] == 1.0 and found["java/accuracy"] == 0.25
    assert found["accuracy"] == 0.625
    one = validate(task, COMMON, Answers(scores, None), data).scores
    assert "german/accuracy" not in one and one["accuracy"] < found["accuracy"]


def test_values_and_several_labels_are_means_over_corpora_too(folder: Path, tmp_path: Path) -> None:
    from emollama.manifest.sample import read_manifest, write_manifest

    options = []
    for place, name in enumerate(("german", "java")):
        manifest = read_manifest(folder / name / "manifest.jsonl")
        samples = [
            s.model_copy(
                update={
                    "targets": s.targets.model_copy(
                        update={"emotions": {str(s.targets.emotion): 1.0}, "valence": i % 5 / 5}
                    )
                }
            )
            for i, s in enumerate(manifest.samples)
        ]
        path = tmp_path / name / "manifest.jsonl"
        write_manifest(path, name, manifest.labels, samples)
        options.append(f"data.manifests.{place}.manifest={path}")
    for kind, metric, more in (
        ("labels", "macro_f1", []),
        ("label+values", "ccc", ["task.values=[valence]"]),
    ):
        model = train_fusion(
            load(
                folder, *options, f"output={tmp_path / kind}", f"task.kind={kind}", *more,
                f"training.select={metric}", "training.epochs=1",
            )
        )  # fmt: skip
        (epoch,) = json.loads((model / "training_record.json").read_text())["validation"]
        each = [epoch[f"german/{metric}"], epoch[f"java/{metric}"]]
        assert epoch[metric] == pytest.approx(np.mean(each))
