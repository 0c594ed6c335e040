"""Reading safetensors files: the values that the library reads, and what is no such file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from emollama.base.errors import EmollamaError
from emollama.llm.weight_files import INDEX_FILE, PIECE, WeightFiles

FORMATS = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


def test_values_are_those_of_the_library(tmp_path: Path) -> None:
    draw = torch.Generator().manual_seed(0)
    made = {str(f): torch.randn(3, PIECE // 2 + 7, generator=draw).to(f) for f in FORMATS}
    made |= {"none": torch.empty(0, 3), "one": torch.tensor(2.5), "counts": torch.arange(3)}
    save_file(made, tmp_path / "w.safetensors", metadata={"format": "pt"})
    files = WeightFiles.of_file(tmp_path / "w.safetensors")
    expected = load_file(tmp_path / "w.safetensors")
    assert files.shapes == {name: tuple(value.shape) for name, value in expected.items()}
    with pytest.raises(EmollamaError, match="counts is stored in I64, not as floats"):
        files.read("counts")
    del expected["counts"]
    room = torch.empty(2 * PIECE)
    for name, value in expected.items():
        assert torch.equal(files.read(name), value) and files.read(name).dtype == value.dtype
        for dtype in FORMATS:
            assert torch.equal(files.read(name, dtype), value.to(dtype)), (name, dtype)
        found = files.read(name, torch.float32, room)
        assert torch.equal(found, value.float()) and found.data_ptr() in (0, room.data_ptr())


def entry(shape: list[Any], *bounds: Any, kind: str = "F32") -> dict[str, Any]:
    return {"dtype": kind, "shape": shape, "data_offsets": list(bounds)}


@pytest.mark.parametrize(
    "header",
    [
        {"a": entry([2], 0, 8), "b": entry([1], 4, 8)},  # overlap
        {"a": entry([1], 0, 4), "b": entry([1], 8, 12)},  # a gap
        {"a": entry([1], 0, 4)},  # bytes behind
        {"a": entry([4], 0, 16)},  # bytes missing
        {"a": entry([2], 0, 12)},  # other bytes than its shape
        {"a": entry([-3], 0, 12)},
        {"a": entry([3.0], 0, 12)},
        {"a": entry([3], 0)},
        {"a": entry([3], 12, 0)},
        {"a": 5},
        {"a": {}},
        [],
        "{",
        '{"a":' * 100_000,
        "\udcff",
    ],
)
def test_what_is_no_such_file_is_one_line(tmp_path: Path, header: Any) -> None:
    text = header if isinstance(header, str) else json.dumps(header)
    told = text.encode("utf-8", "surrogateescape")
    path = tmp_path / "w.safetensors"
    path.write_bytes(len(told).to_bytes(8, "little") + told + bytes(12))
    with pytest.raises(EmollamaError, match=r"w\.safetensors: is corrupt: \S"):
        WeightFiles.of_file(path)


@pytest.mark.parametrize("content", [b"", b"1234567", bytes(8), b"\xff" * 20])
def test_a_file_that_ends_too_early_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.safetensors").write_bytes(content)
    with pytest.raises(EmollamaError, match=r"w\.safetensors: is corrupt: \S"):
        WeightFiles.of_file(tmp_path / "w.safetensors")


@pytest.mark.parametrize("shard", [3, ["w.safetensors"], "../w.safetensors", "/w.safetensors"])
def test_a_shard_lies_beside_its_index(tmp_path: Path, shard: Any) -> None:
    (tmp_path / "llm").mkdir()
    save_file({"a": torch.ones(1)}, tmp_path / "w.safetensors")
    (tmp_path / "llm" / INDEX_FILE).write_text(json.dumps({"weight_map": {"a": shard, "b": "x"}}))
    with pytest.raises(EmollamaError, match="is not an index of weights"):
        WeightFiles.of_folder(tmp_path / "llm")
