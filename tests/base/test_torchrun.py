"""The numbers that torchrun tells each process."""

from __future__ import annotations

import pytest

from emollama.base import torchrun
from emollama.base.errors import EmollamaError


def test_a_process_by_itself_is_the_only_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert not torchrun.started()
    assert (torchrun.rank(), torchrun.world_size()) == (0, 1)
    assert (torchrun.local_rank(), torchrun.local_world_size()) == (0, 1)


def test_what_is_told_is_read_and_no_number_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "x")
    monkeypatch.setenv("LOCAL_RANK", "-1")
    with pytest.raises(EmollamaError, match="LOCAL_RANK=-1"):
        torchrun.local_rank()
    assert torchrun.started() and torchrun.world_size() == 4
    with pytest.raises(
        EmollamaError, match="RANK=x in the environment must be a whole number, 0 or more"
    ):
        torchrun.rank()
