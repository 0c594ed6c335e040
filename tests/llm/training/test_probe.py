"""Projectors that start from a probe, and training samples shown as if they had been held out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GroupKFold

from emollama.encoders.base import FeatureTrack
from emollama.llm import artefact
from emollama.llm.configuration import StreamConfig
from emollama.llm.evidence import EvidenceReader, fit_clues, fit_standardisers
from emollama.llm.options import LoraSection
from emollama.llm.training.probe import FOLDS, start_from_probe
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Sample, Targets
from tests.tiny import tiny_llm

STREAMS = (
    StreamConfig("prosody", "voice", "p", width=5),
    StreamConfig("face", "face", "f", width=7, tokens=2),
)
STARTED = tuple(s.name for s in STREAMS)
STRENGTH = 0.03


@pytest.fixture
def built(tmp_path: Path):
    return artefact.build(
        str(tiny_llm(tmp_path / "llm")), "emollama-chat", STREAMS, get_label_set("mer2023"),
        LoraSection(r=4, alpha=8), torch.float32, seed=3,
    )  # fmt: skip


class Tracks:
    """A reader over arrays in memory."""

    def __init__(self, values: Mapping[str, np.ndarray], columns: tuple[str, ...] = ()) -> None:
        self.values, self.columns = values, columns

    def get(self, sample_id: str) -> FeatureTrack | None:
        found = self.values.get(sample_id)
        return None if found is None else FeatureTrack(found, np.zeros(len(found), np.float32))


def corpus(seed: int = 0, clips: int = 120):
    """Samples of 12 groups, and tracks that tell the label and the group; some faces absent."""
    draw = np.random.default_rng(seed)
    labels = get_label_set("mer2023").labels
    samples, tracks = [], {s.name: {} for s in STREAMS}
    centres = {s.name: draw.normal(size=(6, s.width)) for s in STREAMS}
    groups = {s.name: draw.normal(size=(12, s.width)) for s in STREAMS}
    for i in range(clips):
        samples.append(
            Sample(id=f"c{i}", group=f"g{i % 12}", targets=Targets(emotion=labels[i * 7 % 6]))
        )
        for s in STREAMS:
            if s.name == "face" and i % 10 == 3:
                continue
            values = centres[s.name][i * 7 % 6] + 2 * groups[s.name][i % 12]
            values = values + draw.normal(size=(s.tokens, s.width))
            tracks[s.name][f"c{i}"] = values.astype(np.float32)
    return samples, {name: Tracks(values) for name, values in tracks.items()}


def matrix(model, readers, samples, name: str, shifts: Mapping[str, np.ndarray]) -> np.ndarray:
    """[n, width] standardised means over steps, 0 where absent, as the projector sees them."""
    projector = model.projector(name)
    rows = []
    for sample in samples:
        track = readers[name].get(sample.id)
        if track is None:
            rows.append(np.zeros(projector.config.width))
            continue
        steps = track.values + shifts.get(sample.id, 0)
        rows.append(((steps - projector.mean.numpy()) / projector.deviation.numpy()).mean(axis=0))
    return np.stack(rows)


def test_training_samples_look_to_the_projectors_as_if_held_out(built) -> None:
    wrapped, processor = built
    model = artefact.bare(wrapped)
    samples, readers = corpus()
    fit_standardisers(model, readers, samples)
    shifts = start_from_probe(model, processor, STARTED, readers, samples, STRENGTH)

    plain = np.hstack([matrix(model, readers, samples, n, {}) for n in STARTED])
    shown = np.hstack([matrix(model, readers, samples, n, shifts[n]) for n in STARTED])
    targets = [processor.labels.labels.index(str(s.targets.emotion)) for s in samples]
    whole = LogisticRegression(C=STRENGTH, max_iter=3000).fit(plain, targets)
    expected = np.zeros((len(samples), 6))
    for fit, rest in GroupKFold(FOLDS).split(plain, targets, [s.group for s in samples]):
        others = LogisticRegression(C=STRENGTH, max_iter=3000).fit(
            plain[fit], np.take(targets, fit)
        )
        expected[rest] = plain[rest] @ others.coef_.T
    np.testing.assert_allclose(shown @ whole.coef_.T, expected, atol=1e-4)
    seen = accuracy_score(targets, (plain @ whole.coef_.T).argmax(1))
    held_out = accuracy_score(targets, expected.argmax(1))
    assert held_out < seen  # else there was nothing to correct

    absent = [s.id for s in samples if readers["face"].get(s.id) is None]
    assert absent
    assert all(not shifts["face"][i].any() for i in absent)


def test_shifts_are_for_training_and_not_for_clue_words(built) -> None:
    samples, readers = corpus()
    readers["prosody"].columns = ("f0_mean", "f0_range", "energy_mean", "speech_rate", "x")
    clues = fit_clues(readers, samples)
    shifts = {"prosody": {"c1": np.full(5, 50, np.float32)}}
    plain = EvidenceReader(readers, clues).read(samples[1])
    shown = EvidenceReader(readers, clues, shifts).read(samples[1])
    assert plain.clues == shown.clues and plain.clues["voice"]
    moved = shown.tracks["prosody"].values - plain.tracks["prosody"].values
    np.testing.assert_allclose(moved, 50, rtol=1e-5)
    np.testing.assert_array_equal(shown.tracks["face"].values, plain.tracks["face"].values)


def read_as_labels(model, processor, readers, samples, names) -> float:
    """Share of samples whose tokens of these streams are a blend with most of the true label."""
    table = model.get_input_embeddings().weight
    words = torch.stack(
        [table[processor.label_ids()[k][:-1]].float().mean(dim=0) for k in range(6)]
    )
    words = words - words.mean(dim=0)
    right = 0
    for sample in samples:
        total = torch.zeros(table.shape[1])
        for name in names:
            track = readers[name].get(sample.id)
            if track is not None:
                projector = model.projector(name).eval()
                values = torch.from_numpy(track.values)[None]
                out = projector(values, torch.tensor([True]))[0].mean(dim=0)
                total += out - projector.output.bias
        coordinates = torch.linalg.lstsq(words.T, total[:, None]).solution[:, 0]
        right += processor.labels.labels[int(coordinates.argmax())] == sample.targets.emotion
    return right / len(samples)


def test_a_stream_reads_as_a_blend_of_label_words(built) -> None:
    wrapped, processor = built
    model = artefact.bare(wrapped)
    samples, readers = corpus()
    fit_standardisers(model, readers, samples)
    start_from_probe(model, processor, STARTED, readers, samples, STRENGTH)
    assert read_as_labels(model, processor, readers, samples, STARTED) > 0.5


def test_a_channel_starts_as_well_alone(built) -> None:
    """Where another channel tells the label, the joint regression learns little of this one."""
    wrapped, processor = built
    model = artefact.bare(wrapped)
    samples, readers = corpus()
    for sample in samples:
        readers["prosody"].values[sample.id] += (
            6.0
            * np.eye(6, 5, dtype=np.float32)[
                processor.labels.labels.index(str(sample.targets.emotion))
            ]
        )
    fit_standardisers(model, readers, samples)
    shown = [s for s in samples if readers["face"].get(s.id) is not None]
    found = []
    for alone in (False, True):
        start_from_probe(model, processor, STARTED, readers, samples, STRENGTH, alone)
        found.append(read_as_labels(model, processor, readers, shown, ["face"]))
    assert found[1] > found[0] + 0.05
