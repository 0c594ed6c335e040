"""Tracks to batches: padding, the fast path, standardisers, targets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from emollama.base.errors import EmollamaError
from emollama.encoders.base import FeatureTrack
from emollama.fusion.configuration import FusionTask, ModalitySection
from emollama.fusion.data.data import (
    FusionData,
    fit_standardisers,
    open_modalities,
    read_data,
)
from emollama.fusion.data.targets import TargetTable
from emollama.fusion.data.track_table import TrackTable, shaped
from emollama.fusion.systems.early import Early, EarlyConfig
from emollama.inputs.opening import reopen_inputs
from emollama.manifest.sample import Manifest, Sample, Targets, read_manifest
from tests.fusion.corpus import LABELS, WIDTHS, make

DRAW = np.random.default_rng(1)


def track(steps: int, width: int = 3) -> tuple[np.ndarray, np.ndarray]:
    values = DRAW.normal(size=(steps, width)).astype(np.float32)
    return values, np.arange(steps, dtype=np.float32) + 0.5


def test_the_fast_path_of_utterance_vectors_is_the_padded_one() -> None:
    vectors = [track(1), None, track(1), track(1)]
    fast, padded = TrackTable(vectors, 3), TrackTable([*vectors, track(2)], 3)
    assert fast.longest == 1 and padded.longest == 2
    rows = torch.tensor([3, 1, 0])
    for one, other in zip(fast.take(rows), padded.take(rows), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    values, valid, _ = fast.take(rows)
    np.testing.assert_array_equal(values[0, 0], vectors[3][0][0])  # type: ignore[index]
    assert valid.tolist() == [[True], [False], [True]] and not values[1].any()


def test_rows_are_as_long_as_the_longest_of_the_batch_and_hold_their_own_steps() -> None:
    tracks = [track(2), None, track(5), track(3)]
    values, valid, times = TrackTable(tracks, 3).take(torch.tensor([3, 1, 0]))
    assert values.shape == (3, 3, 3) and valid.sum(1).tolist() == [3, 0, 2]
    np.testing.assert_array_equal(values[0], tracks[3][0])  # type: ignore[index]
    np.testing.assert_array_equal(values[2, :2], tracks[0][0])  # type: ignore[index]
    assert not values[~valid].any() and times[2].tolist() == [0.5, 1.5, 0]


def test_pooling_and_segments() -> None:
    values, times = track(7)
    found = FeatureTrack(values, times)
    section = ModalitySection(name="v", channel="voice", source="x", pool="mean+std")
    pooled, when = shaped(section.spec, found)
    np.testing.assert_allclose(pooled[0], [*values.mean(0), *values.std(0)], rtol=1e-5)
    assert when == [3.5]
    cut, when = shaped(section.model_copy(update={"pool": "none", "segments": 2}).spec, found)
    np.testing.assert_allclose(cut, [values[:3].mean(0), values[3:].mean(0)], rtol=1e-5)
    np.testing.assert_allclose(when, [1.5, 5.0])
    short, _ = shaped(section.model_copy(update={"pool": "none", "segments": 9}).spec, found)
    assert short is values


def read(folder: Path, task: FusionTask) -> tuple[FusionData, Early]:
    manifest = read_manifest(folder / "manifest.jsonl")
    asked = [ModalitySection(name=c, channel=c, source=c) for c in WIDTHS]
    sections, readers = open_modalities(folder / "store", asked)
    data = read_data(manifest, "train", task, LABELS, sections, readers)
    config = EarlyConfig(
        modalities=[s.model_dump() for s in sections],
        labels=LABELS.labels if task.has_labels else (),
        task=task.model_dump(),
    )
    return data, Early(config).eval()


def test_standardisers_know_the_steps_of_present_training_tracks_and_no_others(
    tmp_path: Path,
) -> None:
    make(tmp_path)
    data, model = read(tmp_path, FusionTask())
    fit_standardisers(model, data)
    _, readers = open_modalities(
        tmp_path / "store", [ModalitySection(name="v", channel="voice", source="voice")]
    )
    steps = [t.values for i in data.ids if (t := readers["v"].get(i)) is not None]
    assert len(steps) < len(data)
    together = np.concatenate(steps)
    standardiser = model.standardisers["voice"]
    np.testing.assert_allclose(standardiser.mean, together.mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(standardiser.deviation, together.std(0), rtol=1e-4)


def test_batch_mates_and_padding_change_nothing(tmp_path: Path) -> None:
    make(tmp_path)
    data, model = read(tmp_path, FusionTask())
    fit_standardisers(model, data)
    together = model(data.batch(range(len(data)))).logits
    for i in range(len(data)):
        torch.testing.assert_close(model(data.batch([i])).logits[0], together[i])


def test_targets_are_known_where_the_manifest_tells_them(tmp_path: Path) -> None:
    make(tmp_path)
    data, _ = read(tmp_path, FusionTask(kind="label+values", values=("valence", "arousal")))
    targets = data.batch([0, 1]).targets
    assert targets["values"].valid.tolist() == [[True, False]] * 2
    code = LABELS.labels.index(str(data.samples[1].targets.emotion))
    assert targets["label"].values[1] == code
    assert targets["values"].values[1, 0] == pytest.approx(code / 2 - 0.5)
    several = FusionTask(kind="labels", class_weights="balanced")
    emotions = ({"happy": 0.3, "sad": 0.0}, {"angry": 2.0, "happy": 0.0, "sad": 1.0})
    samples = [Sample(id=str(i), targets=Targets(emotions=e)) for i, e in enumerate(emotions)]
    table = TargetTable(Manifest(tmp_path, "", LABELS, tuple(samples)), samples, several, LABELS)
    found = table.take(torch.tensor([0, 1]))["labels"]
    assert found.values.tolist() == [[1, 0, 0], [0, 1, 1]]
    assert found.valid.tolist() == [[True, True, False], [True, True, True]]
    assert table.class_weights() == [1.0, 1.0, 1.0]
    with pytest.raises(EmollamaError, match="did you mean 'valence'"):
        read(tmp_path, FusionTask(kind="values", values=("valance",)))


def test_frames_keep_their_places_and_unannotated_ones_are_not_known(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("valence,arousal\n0.5,-0.5\n-5,-5\n0.25,1\n")
    (tmp_path / "b.txt").write_text("valence,arousal\n" + "0,0\n" * 4)
    samples = tuple(Sample(id=i, targets=Targets(frames=f"{i}.txt")) for i in "ab")
    manifest = Manifest(tmp_path / "m.jsonl", "", LABELS, samples)
    task = FusionTask(kind="frames", values=("arousal",))
    # The second track has as many steps as there are frames: these are when they are.
    grids = [[np.arange(9), np.array([0.5, 1.5, 2.5])], [np.arange(4)]]
    found = TargetTable(manifest, samples, task, LABELS, grids).take(torch.tensor([0, 1]))["frames"]
    assert found.values[0, :, 0].tolist() == [-0.5, 0, 1, 0]
    assert found.valid[0, :, 0].tolist() == [True, False, True, False]
    assert found.times is not None
    assert found.times[0, :3].tolist() == [0.5, 1.5, 2.5] and found.times[0, 3].isnan()
    assert found.times[1].tolist() == [0, 1, 2, 3]
    with pytest.raises(EmollamaError, match=r"a\.txt: has 3 frames.*sample 'a' 5 steps"):
        TargetTable(manifest, samples[:1], task, LABELS, [[np.arange(5)]])


def test_features_of_another_encoder_are_refused(tmp_path: Path) -> None:
    make(tmp_path)
    asked = ModalitySection(name="voice", channel="voice", source="voice")
    (known,), _ = open_modalities(tmp_path / "store", [asked])
    assert known.width == WIDTHS["voice"]
    reopen_inputs(tmp_path / "store", [known])
    other = known.model_copy(update={"fingerprint": "another"})
    with pytest.raises(EmollamaError, match="'voice' differs from the encoder in training"):
        reopen_inputs(tmp_path / "store", [other])
    with pytest.raises(EmollamaError, match="is 6 columns wide, but the model was built for 5"):
        reopen_inputs(tmp_path / "store", [known.model_copy(update={"width": 5})])
