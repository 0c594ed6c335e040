"""Released files in pickle format: tensors are read, anything else is one line and never run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from emollama.assets.pickled import read_pickled
from emollama.base.errors import EmollamaError


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (TRAP,)


TRAP = "sprung"


@pytest.mark.parametrize("archive", [True, False])
def test_tensors_come_back(tmp_path: Path, archive: bool) -> None:
    saved = {"model": {"a": torch.arange(3)}, "epoch": 4}
    torch.save(saved, tmp_path / "x.pth", _use_new_zipfile_serialization=archive)
    found = read_pickled(tmp_path / "x.pth")
    assert found["epoch"] == 4 and torch.equal(found["model"]["a"], torch.arange(3))


def test_what_is_no_checkpoint_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"a": torch.zeros(4000)}, "whole.pth")
    Path("cut.pth").write_bytes(Path("whole.pth").read_bytes()[:900])
    Path("junk.pth").write_bytes(b"junk")
    Path("empty.pth").write_bytes(b"")
    torch.save({"a": Trap()}, "trap.pth")
    for name in ("cut.pth", "junk.pth", "empty.pth", "trap.pth", "missing.pth"):
        with pytest.raises(EmollamaError) as error:
            read_pickled(Path(name))
        said = str(error.value)
        assert said.startswith(f"{name}: ") and "\n" not in said and "trust" not in said
    assert not Path(TRAP).exists()
