"""Projectors that start from the clues: what a stream reads as before anything is trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from emollama.base.errors import EmollamaError
from emollama.encoders.base import FeatureTrack
from emollama.llm import artefact
from emollama.llm.configuration import StreamConfig
from emollama.llm.evidence import fit_standardisers
from emollama.llm.options import LoraSection
from emollama.llm.training.clue_probe import start_from_clues
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Sample, Targets
from emollama.probe.vocabulary import PHRASES
from tests.tiny import tiny_llm

UNITS = ("AU4", "AU12", "AU26")
WIDTH = 9


class Faces:
    """Tracks that show three units in noise; of other people each has its own offset."""

    def __init__(self, shown: dict[str, np.ndarray]) -> None:
        draw = np.random.default_rng(1)
        mixed = draw.normal(size=(len(UNITS), WIDTH))
        self.tracks = {
            name: (units @ mixed + 0.3 * draw.normal(size=WIDTH)).astype(np.float32)[None]
            for name, units in shown.items()
        }

    def get(self, sample_id: str) -> FeatureTrack:
        return FeatureTrack(self.tracks[sample_id], np.zeros(1, np.float32))


def made(folder: Path, known: bool = True):
    """60 clips of 6 faces, 40 of them for training; the tracks, a model and its processor."""
    draw = np.random.default_rng(0)
    shown = {f"c{i}": draw.integers(2, size=3).astype(float) for i in range(60)}
    samples = []
    for i, (name, units) in enumerate(shown.items()):
        told = [PHRASES[u] for u, there in zip(UNITS, units, strict=True) if there]
        reason = f"The face shows {' and '.join(told) or 'little'}." if known else "It is so."
        samples.append(Sample(id=name, group=f"f{i % 6}",
                              targets=Targets(emotion="sad", reason=reason)))  # fmt: skip
    stream = StreamConfig("face", "face", "f", width=WIDTH)
    model, processor = artefact.build(
        str(tiny_llm(folder / "llm")), "emollama-chat", [stream], get_label_set("mer2023"),
        LoraSection(r=4, alpha=8), torch.float32, seed=3,
    )  # fmt: skip
    readers = {"face": Faces(shown)}
    base = artefact.bare(model)
    fit_standardisers(base, readers, samples[:40])
    return base, processor, readers, samples, shown


def test_a_stream_reads_as_the_phrases_of_what_it_shows(tmp_path: Path) -> None:
    """On clips that it was not fitted on; and its training clips are shown as if they were such."""
    base, processor, readers, samples, shown = made(tmp_path)
    shifts = start_from_clues(base, processor, ["face"], readers, samples[:40], 0.1)
    table = base.get_input_embeddings().weight
    words = torch.stack([
        table[processor.text_ids(" " + PHRASES[u].removeprefix("a "))].mean(0) for u in UNITS
    ])  # fmt: skip
    words = words - words.mean(0)
    projector = base.projector("face").eval()
    tracks = np.stack([readers["face"].get(s.id).values for s in samples])
    with torch.no_grad():
        tokens = projector(torch.from_numpy(tracks), torch.ones(60, dtype=torch.bool))[:, 0]
    scores = (tokens - projector.output.bias) @ torch.linalg.pinv(words)
    truth = torch.tensor(np.stack(list(shown.values())))
    for unit in range(3):
        alike = torch.corrcoef(torch.stack([scores[40:, unit], truth[40:, unit].float()]))[0, 1]
        others = truth[40:, [k for k in range(3) if k != unit]].float().mean(1)
        assert alike > 0.6, UNITS[unit]
        assert alike > torch.corrcoef(torch.stack([scores[40:, unit], others]))[0, 1]
    told = {s.id for s in samples[:40] if shown[s.id].any()}  # of the others nothing is known
    assert shifts["face"].keys() == told


def test_clues_that_nobody_knows_are_one_line(tmp_path: Path) -> None:
    base, processor, readers, samples, _ = made(tmp_path, known=False)
    with pytest.raises(EmollamaError, match="initial_weights: clues needs two clues of the face"):
        start_from_clues(base, processor, ["face"], readers, samples, 0.1)
