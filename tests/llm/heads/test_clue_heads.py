"""Files of clue heads that are broken, or made to break what reads them."""

from __future__ import annotations

import json
import re
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from emollama.base.errors import EmollamaError
from emollama.base.paths import CLUE_HEADS_FILE
from emollama.encoders.base import FeatureTrack
from emollama.llm.configuration import StreamConfig
from emollama.llm.heads.channel_heads import HEADS_FILE
from emollama.llm.heads.channel_heads import read_heads as read_channel_heads
from emollama.llm.heads.clue_heads import ClueHeads, read_heads

STREAMS = [StreamConfig("units", "face", "f", width=3)]
ABOUT = {"threshold": "0.5", "clues": json.dumps({"face": ["a", "b"]}), "face": "units=3"}


def arrays(dtype: type = np.float32) -> dict[str, np.ndarray]:
    shapes = {"mean": 3, "deviation": 3, "coefficients": (2, 3), "intercept": 2}
    return {f"face.{name}": np.ones(shape, dtype) for name, shape in shapes.items()}


def read(folder: Path, about: dict[str, str], values: dict[str, np.ndarray]) -> ClueHeads | None:
    save_file(values, folder / CLUE_HEADS_FILE, ABOUT | about)
    return read_heads(folder, STREAMS)


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    found = read(tmp_path, {}, arrays())
    assert found is not None
    track = FeatureTrack(np.full((1, 3), 2, np.float32), np.zeros(1, np.float32))
    assert found.describe({"units": track}) == {"face": "a, b"}


@pytest.mark.parametrize(
    ("about", "line"),
    [
        *(({"threshold": t}, "threshold: is") for t in ("nan", "0", "1", "-1", "inf")),
        *(({"clues": c}, "is not a table of words")
          for c in ("5", '{"face": 5}', '{"face": "ab"}', '{"face": {"a": 1, "b": 2}}',
                    '{"face": [["a"], "b"]}')),
        ({"clues": "[" * 100_000}, "is not a file of heads"),
        ({"clues": '{"face": ["a"]}'}, "face.coefficients is F32 (2, 3), expected F32 (1, 3)"),
    ],
)  # fmt: skip
def test_what_is_said_of_heads_must_be_sound(
    tmp_path: Path, about: dict[str, str], line: str
) -> None:
    with pytest.raises(EmollamaError, match=f"{CLUE_HEADS_FILE}: .*{re.escape(line)}"):
        read(tmp_path, about, arrays())


@pytest.mark.parametrize(
    ("name", "value"), [("coefficients", np.nan), ("mean", np.inf), ("deviation", 0),
                        ("intercept", np.nan)],
)  # fmt: skip
def test_values_must_be_numbers(tmp_path: Path, name: str, value: float) -> None:
    values = arrays()
    values[f"face.{name}"].flat[0] = value
    with pytest.raises(EmollamaError, match="the face head holds values that are not numbers"):
        read(tmp_path, {}, values)


@pytest.mark.parametrize(
    ("dtype", "size", "count"), [("BF16", 2, 3), ("F8_E4M3", 1, 3), ("F32", 4, 50_000_000)]
)
def test_arrays_of_another_kind_or_size_are_not_read(
    tmp_path: Path, dtype: str, size: int, count: int
) -> None:
    """NumPy has no such numbers; and a small download may stand for an array of many gigabytes."""
    span = {"dtype": dtype, "shape": [count], "data_offsets": [0, count * size]}
    header = json.dumps({"__metadata__": ABOUT, "face.mean": span}).encode()
    with (tmp_path / CLUE_HEADS_FILE).open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + count * size)
    tracemalloc.start()
    with pytest.raises(EmollamaError, match=rf"face.mean is {dtype} \({count},\), expected F32"):
        read_heads(tmp_path, STREAMS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


def test_the_weight_of_channel_heads_is_a_number(tmp_path: Path) -> None:
    save_file(arrays(), tmp_path / HEADS_FILE, ABOUT | {"weight": "nan"})
    with pytest.raises(EmollamaError, match="weight: is nan, not a number from 0 on"):
        read_channel_heads(tmp_path, STREAMS, 2)
