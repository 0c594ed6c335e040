"""Text encoders: equal to transformers by hand, without the tokens that frame a text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import RobertaTokenizer

from emollama.encoders.table import parse_encoder
from emollama.media.clip import Clip
from tests.encoders.published import BLOCKS, WORDS, put, states_of


def said(text: str | None) -> Clip:
    return Clip(None, None, 0.0, text=text)


def values(spec: str, text: str) -> np.ndarray:
    (track,) = parse_encoder(spec).encode([said(text)])
    assert track is not None and not track.times.any()
    return track.values


def ids(*words: str) -> torch.Tensor:
    return torch.tensor([[WORDS.index(word) for word in words]])


@pytest.mark.parametrize("name", ["bert-base-uncased", "chinese-macbert-large"])
def test_layers_are_those_of_transformers(home: Path, tmp_path: Path, name: str) -> None:
    model = put(name, tmp_path)
    given = ids("[CLS]", "the", "voice", "is", "loud", ".", "[SEP]")
    with torch.inference_mode():
        states = states_of(model(given, output_hidden_states=True))
    text = " The voice is loud. "
    found = [values(f"{name}+layer={i}+level=fra", text) for i in range(BLOCKS + 1)]
    for ours, theirs in zip(found, states, strict=True):
        np.testing.assert_allclose(ours, theirs[0, 1:-1].numpy(), atol=1e-5)
    np.testing.assert_allclose(
        values(f"{name}+layer=last4+level=fra", text), sum(found[-4:]), atol=1e-5
    )
    np.testing.assert_allclose(values(name, text), found[-1].mean(0, keepdims=True), atol=1e-6)
    np.testing.assert_allclose(values(f"{name}+segments=5", text), found[-1], atol=1e-6)


def test_what_looks_like_a_special_token_is_text_and_long_texts_are_cut(
    home: Path, tmp_path: Path
) -> None:
    model = put("bert-base-uncased", tmp_path)
    given = ids("[CLS]", "the", "[", "sep", "]", "[SEP]")
    with torch.inference_mode():
        state = model(given).last_hidden_state[0, 1:-1]
    found = values("bert-base-uncased+level=fra", "the [SEP]")
    np.testing.assert_allclose(found, state.numpy(), atol=1e-5)
    assert len(values("bert-base-uncased+level=fra", "the voice " * 100)) == 38
    encoder = parse_encoder("bert-base-uncased")
    assert encoder.encode([said(None), said("  ")]) == [None, None]
    alone = encoder.encode([said("he smiles")])[0]
    beside = encoder.encode([said("the voice is loud and he smiles"), said("he smiles")])[1]
    assert alone is not None and beside is not None
    np.testing.assert_array_equal(alone.values, beside.values)


def test_roberta(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "roberta-base"
    model = put("roberta-base", tmp_path)
    bpe = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    bpe.train_from_iterator([" ".join(WORDS)], vocab_size=300, special_tokens=special)
    bpe.save_model(str(folder))
    tokenizer = RobertaTokenizer.from_pretrained(folder)
    tokenizer.save_pretrained(folder)
    model.resize_token_embeddings(300)
    model.save_pretrained(folder)
    given = tokenizer("the voice", return_tensors="pt").input_ids
    with torch.inference_mode():
        state = model(given).last_hidden_state[0, 1:-1]
    found = values("roberta-base+level=fra", "the voice")
    np.testing.assert_allclose(found, state.numpy(), atol=1e-5)
    assert len(values("roberta-base+level=fra", "the voice " * 100)) == 36  # 40 - 2 - <s> - </s>


def test_sentence_vectors_are_as_they_were_trained(home: Path, tmp_path: Path) -> None:
    model = put("all-minilm-l6-v2", tmp_path)
    with torch.inference_mode():
        state = model(ids("[CLS]", "he", "smiles", "[SEP]")).last_hidden_state[0]
    expected = torch.nn.functional.normalize(state.mean(0), dim=0)
    found = values("all-minilm-l6-v2", "he smiles")
    np.testing.assert_allclose(found, expected.numpy()[None], atol=1e-6)
    frames = values("all-minilm-l6-v2+level=fra", "he smiles")
    np.testing.assert_allclose(frames, state.numpy(), atol=1e-5)
