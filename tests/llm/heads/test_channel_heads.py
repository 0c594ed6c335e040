"""Channel heads: a regression of each channel in product with the language model's scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from emollama.base.errors import EmollamaError
from emollama.llm import artefact
from emollama.llm.clues import ClueWords
from emollama.llm.heads.channel_heads import (
    HEADS_FILE,
    ChannelHeads,
    fit_heads,
    log_probabilities,
    read_heads,
    write_heads,
)
from emollama.llm.inference import label_probabilities
from emollama.llm.interop.export import export
from emollama.llm.processing import Evidence
from tests.llm.training.test_probe import STREAMS, built, corpus

assert built  # the fixture
LABELS = ("neutral", "angry", "happy", "sad", "worried", "surprise")


@pytest.fixture(scope="module")
def heads() -> ChannelHeads:
    samples, readers = corpus()
    return fit_heads(STREAMS, readers, samples, LABELS, None, weight=2.0, strength=0.01, seed=3)


def clip(i: int) -> Evidence:
    _, readers = corpus()
    tracks = {name: reader.get(f"c{i}") for name, reader in readers.items()}
    return Evidence(tracks=tracks, text=None, clues={})


def test_a_head_is_the_regression_of_its_channel(heads: ChannelHeads) -> None:
    samples, readers = corpus()
    rows = np.stack([readers["prosody"].get(s.id).values.mean(0) for s in samples])
    mean, deviation = rows.mean(0), rows.std(0)
    wanted = LogisticRegression(C=0.01, max_iter=3000)
    wanted.fit((rows - mean) / deviation, [LABELS.index(str(s.targets.emotion)) for s in samples])
    found = log_probabilities(heads.heads["voice"], clip(0).tracks)
    assert found is not None
    (expected,) = wanted.predict_log_proba((rows[:1] - mean) / deviation)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_only_channels_that_are_present_and_asked_about_are_combined(heads: ChannelHeads) -> None:
    even = np.full((1, 6), 1 / 6)
    one = clip(0)
    voice = log_probabilities(heads.heads["voice"], one.tracks)
    face = log_probabilities(heads.heads["face"], one.tracks)
    assert voice is not None and face is not None

    def product(logs: np.ndarray) -> np.ndarray:
        chances = np.exp(2 / 3 * logs)  # weight 2 beside the language model's 1
        return chances / chances.sum()

    both = heads.combined(even, [one])[0]
    np.testing.assert_allclose(both, product((voice + face) / 2), atol=1e-6)
    alone = Evidence(tracks=one.tracks, text=None, clues={}, channels=frozenset({"voice"}))
    np.testing.assert_allclose(heads.combined(even, [alone])[0], product(voice), atol=1e-6)
    no_face = clip(3)
    assert no_face.tracks["face"] is None
    only = log_probabilities(heads.heads["voice"], no_face.tracks)
    assert only is not None
    np.testing.assert_allclose(heads.combined(even, [no_face])[0], product(only), atol=1e-6)
    nothing = Evidence(tracks={}, text="words", clues={})
    np.testing.assert_array_equal(heads.combined(even, [nothing]), even)


def test_the_stored_model_answers_with_them_and_writes_without(built, heads, tmp_path) -> None:
    wrapped, processor = built
    plain = label_probabilities(artefact.bare(wrapped), processor, [clip(0)])
    processor.heads = heads
    wanted = heads.combined(plain, [clip(0)])
    assert np.abs(wanted - plain).max() > 0.05
    artefact.save(wrapped, processor, ClueWords(), tmp_path / "model", {"steps": 0}, "# card\n")
    export(tmp_path / "model", tmp_path / "merged")
    for folder in ("model", "merged"):
        loaded = artefact.load(tmp_path / folder, torch.float32)
        found = label_probabilities(loaded.model, loaded.processor, [clip(0)])
        np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_another_models_heads_are_refused(heads: ChannelHeads, tmp_path: Path) -> None:
    assert read_heads(tmp_path, STREAMS, 6) is None
    write_heads(heads, tmp_path)
    with pytest.raises(EmollamaError, match=f"{HEADS_FILE}: the voice head reads"):
        read_heads(
            tmp_path, [STREAMS[1], STREAMS[0].__class__("prosody", "voice", "p", width=4)], 6
        )
    with pytest.raises(EmollamaError, match="expected"):
        read_heads(tmp_path, STREAMS, 5)
    (tmp_path / HEADS_FILE).write_bytes(b"no")
    with pytest.raises(EmollamaError, match="is not a file of heads"):
        read_heads(tmp_path, STREAMS, 6)


def test_clips_of_one_label_fit_no_head() -> None:
    samples, readers = corpus()
    same = [s for s in samples if s.targets.emotion == "happy"]
    with pytest.raises(EmollamaError, match=r"channel_heads: .* voice show one label only"):
        fit_heads(STREAMS, readers, same, LABELS, None, weight=1.0, strength=0.01, seed=3)
