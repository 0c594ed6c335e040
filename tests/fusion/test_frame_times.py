"""Frames are compared with the model's by time, from the file of targets to the answer."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from transformers import Wav2Vec2Config, Wav2Vec2Model

from emollama.base.config import load_config
from emollama.base.errors import EmollamaError
from emollama.cli.predict import predict
from emollama.evaluation.config import EvalConfig
from emollama.evaluation.evaluate import evaluate
from emollama.fusion.configuration import FusionTask, ModalitySection
from emollama.fusion.data.data import FusionData, open_modalities, read_data
from emollama.fusion.readout import answers
from emollama.fusion.tasks import loss
from emollama.fusion.training.config import FusionTrainConfig
from emollama.fusion.training.loop import train_fusion
from emollama.fusion.training.strategies.windows import Videos
from emollama.manifest.labels import label_set
from emollama.manifest.sample import Sample, Targets, read_manifest, write_manifest
from emollama.media.lengths import frame_times
from emollama.scoring.predictions.predictions import read_predictions
from emollama.session.family import load_training
from tests.fusion.corpus import fill_store
from tests.fusion.systems_made import close, model_of
from tests.fusion.test_trainable import SPEECH
from tests.fusion.training.strategies.made import strategy
from tests.media.recording import record

TASK = FusionTask(kind="frames", values=("valence",))
FPS = 5
LABELS = label_set("one", "any")


def make(folder: Path, clips: int = 4) -> Path:
    """Clips of 3, 4, ... s whose valence falls with each frame; one frame is not annotated."""
    samples = []
    for i in range(clips):
        record(folder / f"{i}.mp4", seconds=3 + i, fps=FPS, voice=True)
        count = FPS * (3 + i)
        lines = [f"{v:.3f},0" for v in np.linspace(1, -1, count)]
        lines[2] = "-5,-5"
        (folder / f"{i}.txt").write_text("\n".join(["valence,arousal", *lines]) + "\n")
        split = ("train", "train", "val", "test")[i % 4]
        samples.append(
            Sample(id=str(i), video=f"{i}.mp4", split=split, targets=Targets(frames=f"{i}.txt"))
        )
    write_manifest(folder / "manifest.jsonl", "made", LABELS, samples)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make(tmp_path_factory.mktemp("frames"))
    draw = np.random.default_rng(0)
    # A step a second; the video has five frames in that time. The last clip has no voice.
    voices = {str(i): draw.normal(size=(3 + i, 6)) if i < 3 else None for i in range(4)}
    fill_store(made / "store", "voice", "voice", voices)
    faces = {str(i): draw.normal(size=(2 + i, 4)) for i in range(4)}
    fill_store(made / "store", "face", "face", faces)
    return made


def read(folder: Path, split: str) -> FusionData:
    asked = [ModalitySection(name=c, channel=c, source=c) for c in ("voice", "face")]
    sections, readers = open_modalities(folder / "store", asked)
    manifest = read_manifest(folder / "manifest.jsonl")
    return read_data(manifest, split, TASK, LABELS, sections, readers)


def test_frames_are_in_the_middle_of_the_time_they_are_shown(folder: Path) -> None:
    shown = frame_times(folder / "0.mp4")
    np.testing.assert_allclose(shown, (np.arange(15) + 0.5) / FPS, atol=1e-6)
    np.testing.assert_allclose(
        frame_times(folder / "0.mp4", 1.0, 2.0), (np.arange(5) + 0.5) / FPS, atol=1e-6
    )
    assert not len(frame_times(record(folder / "sound.m4a", video=False)))
    target = read(folder, "train").batch([1, 0]).targets["frames"]
    assert target.times is not None and target.values.shape == (2, 20, 1)
    np.testing.assert_allclose(target.times[1, :15], shown, atol=1e-6)
    assert target.times[1, 15:].isnan().all() and not target.valid[1, 15:].any()
    assert target.valid[1, :4, 0].tolist() == [True, True, False, True]


def test_loss_and_answers_are_at_the_targets_times(folder: Path) -> None:
    """Against numpy's own interpolation; the clip without a voice is answered on its face."""
    options = {"width": 8, "heads": 2, "layers": 1, "hidden": 16}
    model = model_of("va_transformer", options, ["voice", "face"], "frames")
    data = read(folder, "train+val+test")
    found = answers(model.config, model, data.in_order(), torch.device("cpu"))
    assert found.values is not None and found.times is not None
    errors = []
    for i in range(len(data)):
        batch = data.batch([i])
        output = model(batch)
        kept = output.valid[0].numpy()
        own = output.logits[0, :, 0].detach().numpy()[kept]
        assert len(own) == (5 if i == 3 else 3 + i), "steps of the face, or of the voice"
        when = frame_times(folder / f"{i}.mp4")
        wanted = np.interp(when, output.times[0].numpy()[kept], own)
        np.testing.assert_allclose(found.times[i], when, atol=1e-5)
        np.testing.assert_allclose(found.values[i][:, 0], wanted, atol=1e-5)
        assert np.ptp(wanted) > 1e-3
        truth = data.targets.frames[i][:, 0]
        errors.append((wanted - truth)[~np.isnan(truth)] ** 2)
        close(loss(model.config, output, batch.targets), torch.tensor(errors[-1].mean()).float())
    batch = data.batch(range(len(data)))
    together = loss(model.config, model(batch), batch.targets)
    close(together, torch.tensor(np.concatenate(errors).mean()).float())


def test_windows_learn_every_frame_at_its_time(folder: Path) -> None:
    """A step a second of five frames each; the last clip's steps are its face's."""
    options = {"width": 8, "regressor": [8], "dropout": 0, "regressor_dropout": 0}
    model = model_of("va_fclstm", options, ["voice", "face"], "frames")
    data = read(folder, "train+val+test")
    batch = data.batch([3, 1, 0])
    with torch.no_grad():
        wanted = loss(model.config, model(batch), batch.targets)
    one = strategy("windows", model, {"frames": 2}, learning_rate=1e-30, weight_decay=0.0)
    one.set_training()
    close(one.step(batch), wanted)
    videos = Videos.of(model, batch)
    arranged = videos.arranged(batch.targets["frames"])
    for row, (clip, steps) in enumerate(((3, 5), (1, 4), (0, 3))):
        # The frames up to each window's last step, and in the last window all that are left.
        cuts = [FPS * step for step in range(1, steps - 1, 2)]
        shown = np.split(data.targets.frames[clip][:, 0], cuts)
        for window, own in zip(videos.windows(2), shown, strict=False):
            found = arranged.within(window)
            values = found.values[row, found.valid[row, :, 0], 0]
            np.testing.assert_array_equal(values, own[~np.isnan(own)])


def test_frames_without_targets_are_the_first_modalitys(folder: Path) -> None:
    model = model_of("va_fclstm", {"width": 8, "regressor": [8]}, ["voice", "face"], "frames")
    batch = replace(read(folder, "train+val+test").batch([0, 3]), targets={})
    for hidden in ((), ("voice",)):
        found = answers(model.config, model, [batch], torch.device("cpu"), hidden)
        assert found.values is not None and found.times is not None
        assert found.times[0].tolist() == [0, 1, 2] and np.isfinite(found.values[0]).all()
    # What has no voice is answered where its face is.
    assert [len(v) for v in found.values] == [3, 5]


def test_a_file_of_other_frames_is_one_line(folder: Path, tmp_path: Path) -> None:
    manifest = read_manifest(folder / "manifest.jsonl")
    (tmp_path / "long.txt").write_text("valence,arousal\n" + "0,0\n" * 16)
    sample = manifest.samples[0].model_copy(
        update={"targets": Targets(frames=str(tmp_path / "long.txt"))}
    )
    with pytest.raises(EmollamaError, match=r"long\.txt: has 16 frames, the features of .*'0' no"):
        read_data(manifest, "train", TASK, LABELS, [], {}, samples=[sample])


def test_a_clip_is_answered_over_time(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sound through a trained encoder: evaluation answers frame by frame, `predict` in its steps.

    Put onto the frames' times they are the same, to the end of the clip.
    """
    torch.manual_seed(1)
    speech = {**SPEECH, "conv_kernel": (400, 3), "conv_stride": (800, 2)}
    Wav2Vec2Model(Wav2Vec2Config(**speech)).save_pretrained(tmp_path / "speech")
    voice = {"name": "voice", "channel": "voice", "kind": "waveform",
             "source": str(tmp_path / "speech")}  # fmt: skip
    data = {"manifest": str(folder / "manifest.jsonl")}
    (tmp_path / "fusion.yaml").write_text(yaml.safe_dump({
        "output": str(tmp_path / "run"), "data": data,
        "fusion": {"system": "va_fclstm", "modalities": [voice],
                   "options": {"width": 8, "regressor": [8]}},
        "task": {"kind": "frames", "values": ["valence"], "value_loss": "ccc"},
        "training": {"epochs": 2, "batch_size": 2},
    }))  # fmt: skip
    (tmp_path / "eval.yaml").write_text(yaml.safe_dump({
        "model": str(tmp_path / "run/model"), "output": str(tmp_path / "eval"), "data": data,
        "bootstrap": 100,
    }))  # fmt: skip
    config = load_training(tmp_path / "fusion.yaml")
    assert isinstance(config, FusionTrainConfig)
    model = train_fusion(config)
    found = evaluate(load_config(EvalConfig, tmp_path / "eval.yaml", []))
    assert "ccc_valence" in {r["metric"] for r in (found.scores or {})["results"]}
    (row,) = read_predictions(tmp_path / "eval/predictions.jsonl").rows
    told = np.delete(frame_times(folder / "3.mp4"), 2)
    assert row.times == pytest.approx(told, abs=1e-3)
    assert row.values is not None and row.reference_values is not None
    assert len(row.reference_values["valence"]) == len(told) == 29
    capsys.readouterr()
    predict([folder / "3.mp4"], model, as_json=True)
    frames = json.loads(capsys.readouterr().out)["frames"]
    times, values = np.array(frames["times"]), np.array(frames["valence"])
    assert (np.diff(times) > 0).all() and times[-1] > 5.8, "six seconds, to the end"
    np.testing.assert_allclose(np.interp(told, times, values), row.values["valence"], atol=1e-4)
