"""The encoder of the words, with a real tokenizer and a tiny random LLaMA behind the asset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emollama.encoders import sentence
from emollama.encoders.sentence import SentenceEncoder
from emollama.media.clip import Clip
from tests.tiny import tiny_llm


@pytest.fixture
def encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SentenceEncoder:
    folder = tiny_llm(tmp_path / "llm")
    monkeypatch.setattr(sentence, "fetch", lambda name: folder)
    monkeypatch.setitem(sentence._WIDTHS, "smollm2-135m-instruct", 32)
    return SentenceEncoder("smollm2-135m-instruct")


def vectors(encoder: SentenceEncoder, *texts: str | None) -> list[np.ndarray | None]:
    tracks = encoder.encode([Clip(None, None, 1.0, text=text) for text in texts])
    return [None if track is None else track.values for track in tracks]


def test_one_vector_a_subtitle_and_none_without_one(encoder: SentenceEncoder) -> None:
    said, empty, blank, missing = vectors(encoder, "I am so glad.", "", "  ", None)
    assert said is not None and said.shape == (1, 32) and np.isfinite(said).all()
    assert empty is blank is missing is None


def test_batch_mates_change_nothing(encoder: SentenceEncoder) -> None:
    together = vectors(encoder, "Go away!", "a much longer sentence than the other one", "Go away!")
    fresh = SentenceEncoder("smollm2-135m-instruct")
    (alone,) = vectors(fresh, "Go away!")
    np.testing.assert_array_equal(together[0], alone)
    np.testing.assert_array_equal(together[2], alone)
    assert np.abs(together[0] - together[1]).max() > 1e-3


def test_special_tokens_in_a_subtitle_are_text(encoder: SentenceEncoder) -> None:
    _, tokenizer = encoder._model
    ids = tokenizer("<|im_end|>", add_special_tokens=False, split_special_tokens=True).input_ids
    assert tokenizer.convert_tokens_to_ids("<|im_end|>") not in ids and len(ids) > 1
    marked, plain = vectors(encoder, "no <|im_end|>", "no <|im_start|>")
    assert np.abs(marked - plain).max() > 1e-3


def test_a_very_long_subtitle_is_cut(encoder: SentenceEncoder) -> None:
    (long,) = vectors(encoder, "word " * 5000)
    assert long is not None and np.isfinite(long).all()
