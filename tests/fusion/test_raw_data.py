"""Raw text, sound and pictures from manifest to answer: read once, trained on, asked about."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from emollama.base.config import load_config
from emollama.base.errors import EmollamaError
from emollama.cli.explain import explain
from emollama.cli.predict import predict
from emollama.evaluation.config import EvalConfig
from emollama.evaluation.evaluate import evaluate
from emollama.fusion import artefact
from emollama.fusion.configuration import FusionTask, ModalitySection
from emollama.fusion.data import raw_media, raw_reading
from emollama.fusion.data.data import FusionData, read_data
from emollama.fusion.data.tokenizing import load_tokenizer
from emollama.fusion.training.config import FusionTrainConfig
from emollama.fusion.training.loop import train_fusion
from emollama.manifest.sample import read_manifest, write_manifest
from emollama.scoring.predictions.predictions import read_predictions
from emollama.session import open_session
from emollama.session.family import load_training
from tests.fusion.media_made import LABELS, LONGEST, SIDE, make


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("media")
    make(made)
    return made


def sections(folder: Path) -> list[ModalitySection]:
    config = load_training(folder / "fusion.yaml")
    assert isinstance(config, FusionTrainConfig)
    return config.fusion.modalities


def read(folder: Path, split: str) -> FusionData:
    manifest = read_manifest(folder / "manifest.jsonl")
    return read_data(manifest, split, FusionTask(), LABELS, sections(folder), {})


def test_a_batch_holds_what_the_clips_hold(folder: Path) -> None:
    data = read(folder, "train+val")
    assert data.ids == [f"clip-{i}" for i in range(1, 6)]
    assert list(data.left_out) == ["clip-0"] and "voice: " in data.left_out["clip-0"]
    assert data.notes == (
        f"modality 'words': 1 of 6 texts are cut to {LONGEST} tokens, e.g. clip-1",
        *(f"modality '{name}': absent in 1 of 5 samples" for name in ("voice", "face", "mel")),
    )
    batch = data.batch([3, 0, 1])
    # clip-4, clip-1 without sound, clip-2 without a picture.
    assert batch.present("voice").tolist() == batch.present("mel").tolist() == [True, False, True]
    assert batch.present("face").tolist() == [True, True, False]
    assert batch.valid["words"].sum(1).tolist() == [6, LONGEST, 6]
    assert batch.values["words"].dtype == torch.int64
    assert batch.values["words"][0, :6].tolist()[::5] == [0, 2], "<s> ... </s>"
    seconds = batch.valid["voice"].sum(1) * raw_media.PIECE / 16_000
    assert seconds.tolist() == pytest.approx([1.0, 0, 0.8], abs=0.08)
    assert batch.values["voice"].abs().max() == pytest.approx(0.3, abs=0.1)
    assert batch.values["face"].shape == (3, 2, 3, SIDE, SIDE)
    assert batch.values["mel"].shape[2] == raw_media.MEL_BANDS
    for name, values in batch.values.items():
        invalid = ~batch.valid[name]
        assert not values[invalid].any() and not batch.times[name][invalid].any(), name
    for name in ("voice", "face", "mel"):
        assert bool((batch.times[name].diff(dim=1)[batch.valid[name][:, 1:]] > 0).all()), name
    alone = data.batch([1])
    length = alone.values["voice"].shape[1]
    assert torch.equal(alone.values["voice"][0], batch.values["voice"][2, :length])


def test_channels_that_a_corpus_lacks_are_never_decoded(folder: Path) -> None:
    manifest = replace(read_manifest(folder / "manifest.jsonl"), lacks=frozenset({"voice"}))
    samples = [s for s in manifest.samples if s.id in ("clip-0", "clip-4")]
    raw = raw_reading.read_raw(manifest, samples, sections(folder), workers=0)
    assert all(raw.tracks[name]["clip-4"] is None for name in ("voice", "mel"))
    assert raw.tracks["face"]["clip-4"] is not None


def test_clips_are_decoded_once_whatever_is_asked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = read(folder, "train")
    monkeypatch.setattr(raw_reading, "decode_clip", None)
    monkeypatch.setattr(raw_media, "decode_clip", None)
    chosen = data.chosen([1, 0])
    one, other = chosen.batch([0]), data.batch([1])
    assert all(torch.equal(one.values[n], other.values[n]) for n in one.values)
    assert sum(len(b) for b in data.in_order()) == len(data)


def test_processes_read_what_is_read_here(folder: Path) -> None:
    manifest = read_manifest(folder / "manifest.jsonl")
    here, there = (
        raw_reading.read_raw(manifest, manifest.samples[:3], sections(folder), workers)
        for workers in (0, 1)
    )
    assert here.failed == there.failed and list(here.failed) == ["clip-0"]
    for name, tracks in here.tracks.items():
        for key, track in tracks.items():
            other = there.tracks[name][key]
            assert (track is None) == (other is None), (name, key)
            if track is not None and other is not None:
                np.testing.assert_array_equal(track.values, other.values)


def test_what_cannot_be_read_is_one_line(folder: Path) -> None:
    manifest = read_manifest(folder / "manifest.jsonl")
    broken = [s for s in manifest.samples if s.id == "clip-0"]
    asked = sections(folder)
    with pytest.raises(EmollamaError, match=r"no sample of split 'train' can be read, e\.g\. clip"):
        read_data(manifest, "train", FusionTask(), LABELS, asked, {}, samples=broken)
    other = asked[0].model_copy(update={"source": str(folder / "speech")})
    with pytest.raises(
        EmollamaError, match=r"modality 'words': source '.*speech' has no tokenizer"
    ):
        read_data(manifest, "train", FusionTask(), LABELS, [other], {})
    for wrong, message in (
        ({"kind": "frames", "channel": "voice"}, "frames need channel: face"),
        (
            {"kind": "frames", "channel": "face", "pool": "mean"},
            "pool and segments are for tracks only",
        ),
        ({"kind": "fbank", "channel": "voice", "source": "x"}, "leave source out"),
        ({"kind": "frames", "channel": "face", "side": 63}, "greater than or equal to 64"),
        ({"kind": "fbank", "channel": "voice", "count": 5}, "'m': count is for frames, not for"),
        ({"kind": "waveform", "channel": "voice", "source": "x", "side": 96}, "side is for frames"),
        ({"channel": "face", "source": "x", "per_second": 2}, "per_second is for frames, not for"),
        (
            {"kind": "frames", "channel": "face", "standardise": False},
            "standardise is for a track, not for frames",
        ),
        ({"kind": "tokens", "channel": "words"}, "'m': tokens needs a source, the local folder"),
        ({"kind": "waveform", "channel": "voice"}, "'m': waveform needs a source"),
    ):
        with pytest.raises(ValueError, match=message):
            ModalitySection.model_validate({"name": "m", **wrong})


def test_a_modality_that_no_training_sample_has_is_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pictures are asked for of a manifest whose training samples name sound files alone."""
    samples = [
        s.model_copy(
            update={"video": None, "audio": str(folder / str(s.video))}
            if s.split == "train"
            else {"video": str(folder / str(s.video))}
        )
        for s in read_manifest(folder / "manifest.jsonl").samples[2:]
    ]
    path = tmp_path / "manifest.jsonl"
    write_manifest(path, "made", LABELS, samples)
    config = yaml.safe_load((folder / "fusion.yaml").read_text())
    voice, face = config["fusion"]["modalities"][3], config["fusion"]["modalities"][2]
    config |= {"output": str(tmp_path / "run"), "data": {"manifest": str(path)}}

    def refused(modalities: list[dict[str, object]], message: str) -> None:
        config["fusion"]["modalities"] = modalities
        (tmp_path / "fusion.yaml").write_text(yaml.safe_dump(config))
        asked = load_training(tmp_path / "fusion.yaml")
        assert isinstance(asked, FusionTrainConfig)
        with pytest.raises(EmollamaError, match=message):
            train_fusion(asked)

    refused(
        [voice, face],
        r"manifest\.jsonl: modality 'face': no training sample has frames; samples need",
    )
    count = sum(s.split == "train" for s in samples)
    said = capsys.readouterr().err
    assert f"modality 'face': absent in {count} of {count} samples" in said
    refused([face], r"manifest\.jsonl: no sample of split 'train' has any modality: 'face' \(frame")


def test_a_sample_that_has_nothing_is_left_out(folder: Path) -> None:
    manifest = read_manifest(folder / "manifest.jsonl")
    face = [s for s in sections(folder) if s.name == "face"]
    # clip-0 is no media file, clip-2 has no picture.
    data = read_data(manifest, "train+val", FusionTask(), LABELS, face, {})
    assert data.ids == ["clip-1", "clip-3", "clip-4", "clip-5"]
    assert list(data.left_out) == ["clip-0", "clip-2"]
    assert data.left_out["clip-2"] == "has no modality"
    assert data.notes == (
        "modality 'face': absent in 1 of 5 samples",
        "1 of 5 samples have no modality, e.g. clip-2",
    )
    assert (
        data.batch(range(4)).present("face").all() and len(data.targets.whole["label"].values) == 4
    )


@pytest.fixture(scope="module")
def trained(folder: Path) -> Path:
    """The model, after the folders of its encoders are gone."""
    config = load_training(folder / "fusion.yaml")
    assert isinstance(config, FusionTrainConfig)
    model = train_fusion(config)
    shutil.move(folder / "text", folder / "text-gone")
    shutil.move(folder / "speech", folder / "speech-gone")
    return model


def test_trained_evaluated_and_asked(
    folder: Path, trained: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    record = json.loads((trained / "training_record.json").read_text())
    assert record["samples"] == 3 and list(record["left_out"]) == ["clip-0"]
    kept = artefact.load(trained).sections[0].source
    assert load_tokenizer(Path(kept), "words").model_max_length == LONGEST
    path = tmp_path / "eval.yaml"
    path.write_text(yaml.safe_dump({
        "model": str(trained), "output": str(tmp_path / "eval"), "bootstrap": 100,
        "data": {"manifest": str(folder / "manifest.jsonl")},
    }))  # fmt: skip
    evaluate(load_config(EvalConfig, path, []))
    assert "no classical baselines: no modality is a cached track" in capsys.readouterr().err
    found = read_predictions(tmp_path / "eval/predictions.jsonl")
    assert len(found.channel_sets()) == 7
    sample = next(s for s in read_manifest(folder / "manifest.jsonl").samples if s.id == "clip-6")
    clip = folder / str(sample.video)
    predict([clip], trained, text=sample.text, as_json=True)
    answer = json.loads(capsys.readouterr().out)
    (row,) = (r for r in found.select(("voice", "face", "words")) if r.id == sample.id)
    assert answer["scores"] == pytest.approx(row.scores, abs=1e-4)
    assert set(answer["channels"]) == {"voice", "face", "words"}
    session = open_session(trained, describe=False)
    look = session.look(clip, sample.text)
    views = {("voice", "words"): look.without("face"), ("face",): look.only({"face"}),
             ("voice", "face"): session.reworded(look, "")}  # fmt: skip
    for channels, view in views.items():
        (row,) = (r for r in found.select(channels) if r.id == sample.id)
        assert session.answer(view).scores == pytest.approx(row.scores, abs=1e-4), channels
    # Sound and words alone: no picture anywhere.
    predict([folder / "clip-2.m4a"], trained, text="it is all over", as_json=True)
    answer = json.loads(capsys.readouterr().out)
    assert set(answer["channels"]) == {"voice", "words"}
    assert "no face in this clip" in answer["notes"]


def test_a_raw_clip_is_explained(folder: Path, trained: Path, tmp_path: Path) -> None:
    explain(tmp_path, folder / "clip-6.mp4", trained, "what a lovely day", window=0.5, orders=1)
    case = json.loads((tmp_path / "clip-6.json").read_text())
    words = next(c for c in case["occlusion"] if c["lane"].startswith("words"))
    assert words["words"][1:-1] == ["what", "a", "lovely", "day"]
    assert {c["lane"] for c in case["occlusion"]} >= {"voice"}
    for found in case["shapley"]:
        total = sum(found["probability"].values())
        assert total == pytest.approx(found["full"] - found["empty"], abs=1e-9)
    assert (tmp_path / "clip-6.html").read_text().count("data:image/png;base64,") >= 1
