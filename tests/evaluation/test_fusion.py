"""A fusion model from its run to predictions, report and a raw clip."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from emollama.base.config import load_config
from emollama.base.errors import EmollamaError
from emollama.cli.predict import predict
from emollama.encoders.prosody import ProsodyEncoder
from emollama.evaluation.asking import Questions
from emollama.evaluation.config import EvalConfig
from emollama.evaluation.evaluate import evaluate
from emollama.features.shards import Entry, Extracted, write_shard
from emollama.features.store import EncoderRecord, write_index, write_record
from emollama.fusion import artefact
from emollama.fusion.data.data import read_data
from emollama.fusion.training.config import FusionTrainConfig
from emollama.fusion.training.loop import train_fusion
from emollama.inputs.opening import reopen_inputs
from emollama.manifest.sample import Sample, Targets, read_manifest, write_manifest
from emollama.scoring.predictions.predictions import read_predictions
from emollama.session import LlmSession
from emollama.session.family import load_training
from emollama.session.observing import Observer
from tests.features.made import voice
from tests.fusion.corpus import LABELS, make


def trained(folder: Path, *options: str) -> Path:
    config = load_training(folder / "fusion.yaml", options)
    assert isinstance(config, FusionTrainConfig)
    return train_fusion(config)


def evaluated(folder: Path, model: Path, name: str, *options: str) -> Any:
    output = folder / name
    found = evaluate(evaluation(folder, model, output, *options))
    return found, read_predictions(output / "predictions.jsonl")


def evaluation(folder: Path, model: Path, output: Path, *options: str) -> EvalConfig:
    path = folder / "eval.yaml"
    data = {"manifest": str(folder / "manifest.jsonl"), "store": str(folder / "store")}
    path.write_text(yaml.safe_dump({"model": str(model), "output": "", "data": data,
                                    "bootstrap": 100}))  # fmt: skip
    return load_config(EvalConfig, path, [f"output={output}", *options])


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    make(folder, 80, noise=0.6)
    return folder


@pytest.fixture(scope="module")
def labels(corpus: Path) -> Path:
    return trained(corpus, f"output={corpus}/label", "training.epochs=12")


def test_single_labels_with_every_set_of_channels_and_a_baseline(
    corpus: Path, labels: Path
) -> None:
    found, predictions = evaluated(corpus, labels, "single")
    assert predictions.channel_sets() == [("voice",), ("words",), ("voice", "words")]
    rows = predictions.select(("voice", "words"))
    assert len(rows) == 20 and all(r.scores for r in rows)
    assert found.report["scores"]["weighted_f1"]["value"] > 0.7
    assert {o["system"] for o in found.report["others"]} >= {"logistic regression", "late fusion"}
    # A clip without a voice is answered from its words alone.
    mute = next(r for r in rows if int(r.id[-3:]) % 7 == 0)
    (words,) = (r for r in predictions.select(("words",)) if r.id == mute.id)
    assert words.scores == mute.scores


def test_a_quick_look_takes_samples_by_the_seed(corpus: Path, labels: Path) -> None:
    options = ("data.limit=5", "baseline=false", "modality_report=none")
    _, first = evaluated(corpus, labels, "limit", *options)
    _, other = evaluated(corpus, labels, "limit", *options, "seed=8")
    ids = [r.id for r in first.rows]
    assert len(ids) == 5 and ids == sorted(ids)
    assert ids != [r.id for r in other.rows] and "5 samples" in first.header.settings["limit"]


def test_several_labels_by_thresholds_of_the_validation_split(corpus: Path) -> None:
    model = trained(corpus, f"output={corpus}/labels", "task.kind=labels")
    thresholds = artefact.load(model).about.thresholds
    assert set(thresholds) == set(LABELS.labels) and set(thresholds.values()) != {0.5}
    found, predictions = evaluated(corpus, model, "several")
    assert found.report is None
    names = {r["metric"] for r in found.scores["results"]}
    assert {"micro_f1", "macro_f1_multilabel", "map"} <= names
    for row in predictions.rows:
        assert row.reference_labels is not None and row.label_scores is not None
        over = {x for x, p in row.label_scores.items() if p > thresholds[x] + 1e-4}
        assert over <= set(row.labels or ())


def test_values_of_the_clip(corpus: Path) -> None:
    options = ("task.kind=values", "task.values=[valence]", "task.value_loss=ccc")
    model = trained(corpus, f"output={corpus}/values", "training.epochs=15", *options)
    found, predictions = evaluated(corpus, model, "values")
    (ccc,) = (r for r in found.scores["results"] if r["metric"] == "ccc_valence")
    assert ccc["value"] > 0.5
    assert all(set(r.reference_values or ()) == {"valence"} for r in predictions.rows)


def test_values_of_frames_with_every_set_of_channels(corpus: Path) -> None:
    """Of the voice's frames, one reference a clip; words alone, a single step, hold one answer."""
    model = trained(
        corpus, f"output={corpus}/frames", "training.epochs=8", "fusion.system=va_fclstm",
        "fusion.options={width: 16, regressor: [16]}", "strategy={name: windows, frames: 2}",
        "task={kind: frames, values: [valence, arousal], value_loss: ccc}",
    )  # fmt: skip
    found, predictions = evaluated(corpus, model, "frames")
    assert {r["metric"] for r in found.scores["results"]} >= {"ccc_valence", "ccc_arousal"}
    told = [r for r in predictions.rows if r.reference_values is not None]
    assert len(told) > 30
    for row in told:
        assert len(row.values["valence"]) == len(row.reference_values["valence"])
        # No digit that a float32 does not hold: 0.2, not 0.20000000298023224.
        assert all(x == float(f"{x:.6g}") for x in row.values["valence"])
    (words,) = {len(set(r.values["valence"])) for r in told if r.channels == ("words",)}
    assert words == 1
    assert max(len(set(r.values["valence"])) for r in told if r.channels == ("voice",)) == 4


def test_several_models_answer_as_their_strategy_says(corpus: Path) -> None:
    """AMST-F from its artefact: the mean of the modalities' logits and the joint model's."""
    folder = trained(
        corpus, f"output={corpus}/amst", "training.epochs=3", "fusion.system=amst",
        "fusion.options={width: 8}", "strategy={name: amst-f, skip: {words: 2}}",
    )  # fmt: skip
    loaded = artefact.load(folder)
    assert set(loaded.models) == {"model", "joint"}
    options = ("baseline=false", "modality_report=none")
    _, predictions = evaluated(corpus, folder, "amst", *options)
    sections = loaded.config.sections
    readers = reopen_inputs(corpus / "store", sections)
    manifest = read_manifest(corpus / "manifest.jsonl")
    data = read_data(manifest, "test", loaded.config.goal, LABELS, sections, readers)
    batch = data.batch(range(len(data)))
    with torch.no_grad():
        first, joint = loaded.models["model"], loaded.models["joint"]
        voices = [*first.unimodal_logits(first.encode(batch)).values(), joint(batch).logits]
    heard = batch.present("voice").float() + batch.present("words").float() + 1
    wanted = (sum(voices) / heard[:, None]).softmax(-1)
    for row, scores in zip(predictions.rows, wanted.tolist(), strict=True):
        assert [row.scores[x] for x in LABELS.labels] == pytest.approx(scores, abs=1e-4)


def test_what_a_fusion_model_cannot_do_is_one_line(corpus: Path, labels: Path) -> None:
    with pytest.raises(EmollamaError, match=r"which cannot write text; leave reasons\.count out"):
        evaluated(corpus, labels, "no", "reasons.count=2")
    with pytest.raises(EmollamaError, match="for a fusion model use `emollama predict`"):
        LlmSession.open(labels)
    (labels / "fusion.json").rename(labels / "kept.json")
    (labels / "fusion.json").write_text('{"version": 9}')
    with pytest.raises(EmollamaError, match="version 9 is not supported"):
        artefact.load(labels)
    (labels / "kept.json").rename(labels / "fusion.json")


def test_a_raw_clip_with_sound_alone_gets_the_answer_of_its_cached_tracks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trained on cached prosody; asked about the file itself; no video anywhere."""
    encoder = ProsodyEncoder(segments=1)
    observer = Observer({encoder.key: encoder}, describe=False)
    samples, items = [], []
    for i in range(16):
        voice(tmp_path / f"{i:02d}.wav", 100 if i % 2 else 220, 0.3 + 0.02 * i)
        track = observer.watch(tmp_path / f"{i:02d}.wav", transcribe=False).tracks[encoder.key]
        items.append(Extracted(Entry(f"{i:02d}", "s", "ok"), track))
        emotion = LABELS.labels[i % 2]
        split = ("train", "train", "train", "train", "val", "val", "test", "test")[i % 8]
        samples.append(
            Sample(id=f"{i:02d}", audio=f"{i:02d}.wav", split=split,
                   targets=Targets(emotion=emotion))
        )  # fmt: skip
    folder = tmp_path / "store" / encoder.key
    write_record(folder, EncoderRecord(encoder.key, "voice", encoder.width, encoder.fingerprint,
                                       encoder.columns))  # fmt: skip
    write_shard(folder / "0.safetensors", encoder.width, encoder.fingerprint, items)
    write_index(folder, [("0.safetensors", [s.id for s in samples])])
    write_manifest(tmp_path / "manifest.jsonl", "tones", LABELS, samples)
    config = {
        "output": str(tmp_path / "run"),
        "data": {"manifest": str(tmp_path / "manifest.jsonl"), "store": str(tmp_path / "store")},
        "fusion": {"system": "early", "modalities": [
            {"name": "prosody", "channel": "voice", "source": "prosody"}]},
        "training": {"epochs": 10, "learning_rate": 0.01},
    }  # fmt: skip
    (tmp_path / "fusion.yaml").write_text(yaml.safe_dump(config))
    model = trained(tmp_path)
    _, predictions = evaluated(tmp_path, model, "eval", "baseline=false")
    row = predictions.rows[0]
    predict([tmp_path / f"{row.id}.wav"], model, as_json=True)
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert answer["label"] == row.label and answer["channels"] == ["voice"]
    assert answer["scores"] == pytest.approx(row.scores, abs=1e-4)
    predict([tmp_path / f"{row.id}.wav"], model)
    shown = capsys.readouterr().out
    assert f"{row.label}" in shown and "%" in shown


def test_labels_with_values_have_a_baseline_too(corpus: Path) -> None:
    """The baseline's rows carry the same references as the model's, values included."""
    options = ("task.kind=label+values", "task.values=[valence]", "training.epochs=2")
    model = trained(corpus, f"output={corpus}/both", *options)
    found, predictions = evaluated(corpus, model, "both-evaluated")
    assert found.report["others"] and found.scores is not None
    assert all(row.reference_values for row in predictions.rows)


def test_a_stopped_evaluation_goes_on_where_it_was(
    corpus: Path, labels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The passes of a fusion model are kept as a language model's are."""
    _, whole = evaluated(corpus, labels, "whole", "baseline=false")
    ask, asked = Questions._scores, []

    def stopping(self: Questions, channels: Any, ids: Any) -> Any:
        if len(asked) == 1 and stop:
            raise KeyboardInterrupt
        asked.append(channels)
        return ask(self, channels, ids)

    monkeypatch.setattr(Questions, "_scores", stopping)
    stop = True
    with pytest.raises(KeyboardInterrupt):
        evaluated(corpus, labels, "stopped", "baseline=false")
    assert (corpus / "stopped/partial").is_dir()
    stop = False
    _, found = evaluated(corpus, labels, "stopped", "baseline=false")
    assert asked == [("voice",), ("words",), ("voice", "words")], "what was kept is not asked again"
    assert found.rows == whole.rows
    times = json.loads((corpus / "stopped/times.json").read_text())
    assert list(times) == ["voice", "words", "voice + words"] and times["voice"]["n"] == 20
