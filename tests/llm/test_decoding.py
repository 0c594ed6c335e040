"""Which token is drawn."""

from __future__ import annotations

import pytest
import torch

from emollama.llm.decoding import Sampling, drawing

LOGITS = torch.tensor([[1.0, 30.0, 29.0, -40.0]])
SEEN = torch.zeros(1, 1, dtype=torch.long)


@pytest.mark.parametrize("temperature", [0.0, 5e-324, 1e-310, 1e-30, 1e-3])
def test_the_coldest_draw_is_the_likeliest_token(temperature: float) -> None:
    draw = drawing(Sampling(temperature=temperature, top_p=0.9, seed=1), torch.device("cpu"))
    assert {draw(SEEN, LOGITS) for _ in range(8)} == {1}


def test_a_warm_draw_is_by_chance_and_the_same_for_a_seed() -> None:
    def drawn(seed: int) -> list[int]:
        draw = drawing(Sampling(temperature=1.0, seed=seed), torch.device("cpu"))
        return [draw(SEEN, LOGITS) for _ in range(40)]

    assert set(drawn(3)) == {1, 2} and drawn(3) == drawn(3) != drawn(4)
