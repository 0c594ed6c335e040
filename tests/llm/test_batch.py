"""Packed samples are what they are alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from emollama.llm import artefact
from emollama.llm.configuration import StreamConfig
from emollama.llm.options import Attention, LoraSection
from emollama.manifest.labels import get_label_set
from tests.llm.conftest import STREAMS, evidence

OMITTED = StreamConfig("face", "face", "f", width=7, tokens=2, absent="omit")


def samples(processor):
    """Of different lengths, one with nothing to see, one weighted, one without supervision."""
    made = []
    for seed, answer, without in (
        (0, " happy", {}),
        (1, " a much longer answer, of many words", {"face": True}),
        (2, " sad", {"voice": True}),
        (3, " angry", {}),
    ):
        prompt = processor.encode_prompt(
            evidence(seed, "word " * (1 + 3 * seed), **without), "Why?"
        )
        made.append(processor.with_answer(prompt, answer, 1.0 + seed))
    return made


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_packed_and_padded_give_the_same_losses_and_gradients(
    llm: Path, attention: Attention
) -> None:
    streams = (*STREAMS[:2], OMITTED)
    model, processor = artefact.build(
        str(llm), "emollama-chat", streams, get_label_set("mer2023"), LoraSection(r=4, alpha=8),
        torch.float32, seed=3, attention=attention,
    )  # fmt: skip
    base = artefact.bare(model)
    assert base.language_model.config._attn_implementation == attention
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    model.eval()
    made = samples(processor)
    found = {}
    for form in (processor.collate, processor.pack):
        model.zero_grad()
        out = model(**form(made))
        out.loss.backward()
        gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.requires_grad}
        found[form.__name__] = (out.loss, out.sample_losses, gradients)
    loss, each, gradients = found["collate"]
    packed_loss, packed_each, packed_gradients = found["pack"]
    torch.testing.assert_close(packed_each, each, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(packed_loss, loss, atol=1e-5, rtol=1e-5)
    for name, gradient in gradients.items():
        torch.testing.assert_close(packed_gradients[name], gradient, atol=1e-4, rtol=1e-4)


def test_a_packed_row_holds_no_padding(built) -> None:
    _, processor = built
    made = samples(processor)
    row = processor.pack(made)
    assert row["input_ids"].shape == (1, sum(len(s.input_ids) for s in made))
    assert "attention_mask" not in row
