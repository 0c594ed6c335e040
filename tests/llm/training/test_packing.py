"""Dealing a step's samples into micro-batches."""

from __future__ import annotations

import random

import pytest

from emollama.llm.batch import by_count
from emollama.llm.training.packing import by_tokens


@pytest.mark.parametrize("world", [1, 2, 4])
def test_groups_hold_every_sample_once_and_no_more_than_the_budget(world: int) -> None:
    draw = random.Random(1)
    for _ in range(200):
        lengths = [draw.randrange(1, 400) for _ in range(world * draw.randrange(1, 20))]
        budget = draw.choice([200, 500, 2000])
        groups = by_tokens(lengths, budget, world)
        assert sorted(i for g in groups for i in g) == list(range(len(lengths)))
        assert len(groups) % world == 0 and all(groups)
        over = [g for g in groups if len(g) > 1 and sum(lengths[i] for i in g) > budget]
        assert over == []


def test_rows_are_nearly_full() -> None:
    draw = random.Random(2)
    lengths = [draw.randrange(40, 160) for _ in range(256)]
    groups = by_tokens(lengths, 1024)
    assert sum(lengths) / (1024 * len(groups)) > 0.9


def test_a_sample_above_the_budget_stands_alone() -> None:
    groups = by_tokens([50, 900, 40, 60], 150)
    assert [1] in groups and len(groups) == 2


def test_padded_groups_stand_by_length() -> None:
    assert by_count([30, 10, 20, 40], 2) == [[1, 2], [0, 3]]
