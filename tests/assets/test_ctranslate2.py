"""The CTranslate2 reader on a file written by hand from the format."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from emollama.assets.ctranslate2 import read_model
from emollama.base.errors import EmollamaError


def text(value: str) -> bytes:
    return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"


def model(version: int = 6) -> bytes:
    values = np.arange(6, dtype="<f2").reshape(2, 3)
    variable = text("a/weight") + struct.pack("<B2IBI", 2, 2, 3, 4, 12) + values.tobytes()
    scalar = text("a/heads") + struct.pack("<BBI", 0, 2, 2) + struct.pack("<h", 6)
    head = struct.pack("<I", version) + text("Spec") + struct.pack("<II", 3, 2)
    return head + variable + scalar + struct.pack("<I", 1) + text("b/weight") + text("a/weight")


def test_variables_scalars_and_aliases(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(model())
    spec, variables = read_model(tmp_path / "model.bin")
    assert spec == "Spec" and int(variables["a/heads"]) == 6
    np.testing.assert_array_equal(variables["b/weight"], [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize("data", [model()[:40], model(version=5), b""])
def test_a_cut_or_other_file_is_one_line(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "model.bin").write_bytes(data)
    with pytest.raises(EmollamaError, match=r"model\.bin"):
        read_model(tmp_path / "model.bin")
