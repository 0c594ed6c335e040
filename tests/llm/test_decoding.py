"""Which token is drawn, and that the loop writes what transformers' `generate` writes."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import torch

import emollama
from emollama.llm.decoding import Sampling, drawing, generate, token_steps
from emollama.llm.inference import written
from tests.llm.conftest import evidence
from tests.llm.reference import transformers_greedy

LOGITS = torch.tensor([[1.0, 30.0, 29.0, -40.0]])


@pytest.mark.parametrize("temperature", [0.0, 5e-324, 1e-310, 1e-30, 1e-3])
def test_the_coldest_draw_is_the_likeliest_token(temperature: float) -> None:
    draw = drawing(Sampling(temperature=temperature, top_p=0.9, seed=1), torch.device("cpu"))
    assert {int(draw(LOGITS)) for _ in range(8)} == {1}


def test_a_warm_draw_is_by_chance_and_the_same_for_a_seed() -> None:
    def drawn(seed: int) -> list[int]:
        draw = drawing(Sampling(temperature=1.0, seed=seed), torch.device("cpu"))
        return [int(draw(LOGITS)) for _ in range(40)]

    assert set(drawn(3)) == {1, 2} and drawn(3) == drawn(3) != drawn(4)


@pytest.mark.parametrize("ends", [True, False])
def test_the_loop_writes_what_transformers_writes(built, ends: bool) -> None:  # type: ignore[no-untyped-def]
    """Greedy, alone and in a batch of unlike lengths, whether or not answers end by themselves."""
    model, processor = built
    base = model.get_base_model().eval()
    texts = ["short", "many more words " * 5, None, "look at this, will you"]
    prompts = [processor.encode_prompt(evidence(i, t), "Why?") for i, t in enumerate(texts)]
    free = transformers_greedy(base, processor, prompts, 12, ends=False)
    if ends:  # a token that is written early in some rows and late or never in others
        processor.end_id = free[1][3]
    else:
        processor.end_id = -1
    expected = transformers_greedy(base, processor, prompts, 12, ends)
    assert generate(base, processor, prompts, Sampling(max_new_tokens=12)) == expected
    for prompt, answer in zip(prompts, expected, strict=True):
        assert generate(base, processor, [prompt], Sampling(max_new_tokens=12)) == [answer]
    assert len({len(answer) for answer in expected}) > 1 or not ends


def test_answers_in_batches_are_those_of_each_clip_alone(built) -> None:  # type: ignore[no-untyped-def]
    model, processor = built
    base = model.get_base_model().eval()
    clips = [evidence(i, "word " * (i + 1)) for i in range(5)]
    together = written(base, processor, clips, "reason", 8, batch_size=3)
    assert together == [written(base, processor, [c], "reason", 8)[0] for c in clips]


def test_there_is_one_loop_that_writes() -> None:
    """`llm.decoding.token_steps`: no other module of the family asks transformers to generate."""
    assert token_steps.__module__ == "emollama.llm.decoding"
    text_models = {"endpoints/local.py"}  # plain language models, no clip
    root = Path(emollama.__file__).parent
    asks = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "generate"
    }
    assert asks <= text_models
