"""Which precision a word stands for."""

from __future__ import annotations

import pytest
import torch

from emollama.base.device import resolve_dtype
from emollama.base.errors import EmollamaError


@pytest.mark.parametrize("name", ["float32", "bfloat16", "float16"])
def test_a_precision_is_the_one_that_was_asked_for(name: str) -> None:
    assert resolve_dtype(name, torch.device("cpu")) == getattr(torch, name)


@pytest.mark.parametrize(
    ("name", "nearest"), [("banana", "known: auto"), ("bfloat", "bfloat16"), ("", "known: auto")]
)
def test_an_unknown_precision_is_an_error_with_the_known_ones(name: str, nearest: str) -> None:
    with pytest.raises(EmollamaError, match=f"dtype '{name}'.*{nearest}"):
        resolve_dtype(name, torch.device("cpu"))
