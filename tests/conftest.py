"""What every test needs before any library is imported."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests import warm

# Else DeepSpeed looks for an accelerator and says so in the middle of a command's output.
os.environ.setdefault("DS_ACCELERATOR", "cpu")

# The same examples on every machine: a red test is the fault of the change that it came with.
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")

warm.use_always()

LONGEST = (
    "test_whole_way.py", "llm/training/test_train.py", "llm/training/test_presets.py",
    "demo/test_process.py",
)  # fmt: skip
"""Files that take longest begin first, or one process would still be at them at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    folder = Path(__file__).parent
    rank = {folder / name: place for place, name in enumerate(LONGEST)}
    assert all(path.is_file() for path in rank), "tests/conftest.py: LONGEST names no file"
    items.sort(key=lambda item: rank.get(item.path, len(rank)))
