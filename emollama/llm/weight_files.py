"""Weights on disk: the names and shapes in safetensors files, and one tensor at a time."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass
from io import BufferedReader
from math import prod
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from emollama.base.errors import EmollamaError
from emollama.base.files import read_json

INDEX_FILE = "model.safetensors.index.json"
"""Which shard holds which tensor, as transformers writes it."""

WEIGHTS_FILE = "model.safetensors"

DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
}  # fmt: skip
"""Formats of weights as safetensors names them; others are not weights that can be added to."""

PIECE = 1 << 18
"""Values of a tensor that are made another format at once: as many as caches hold."""


@dataclass(frozen=True)
class Entry:
    """Where a tensor lies: its file and first byte; its shape and its format's name."""

    path: Path
    first: int
    shape: tuple[int, ...]
    format: str


class WeightFiles:
    """The tensors of one or several safetensors files by name; only headers are kept."""

    def __init__(self, entries: dict[str, Entry]) -> None:
        self.entries = entries

    @classmethod
    def of_folder(cls, folder: Path) -> Self:
        """A transformers folder: one file, or the shards of its index.

        Raises:
            EmollamaError: a file is missing, corrupt, or lacks a tensor of the index.
        """
        if not (folder / INDEX_FILE).is_file():
            return cls.of_file(folder / WEIGHTS_FILE)
        try:
            wanted = dict(read_json(folder / INDEX_FILE)["weight_map"])
            if not all(
                isinstance(name, str) and Path(name).name == name for name in wanted.values()
            ):
                raise ValueError("a shard lies beside its index")
        except (KeyError, TypeError, ValueError) as error:
            raise EmollamaError(f"{folder / INDEX_FILE}: is not an index of weights") from error
        shards = {name: _entries(folder / name) for name in sorted(set(wanted.values()))}
        for key, name in wanted.items():
            if key not in shards[name]:
                raise EmollamaError(f"{folder / name}: lacks {key}, which the index promises")
        return cls({key: shards[name][key] for key, name in wanted.items()})

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """A single file.

        Raises:
            EmollamaError: it is missing or corrupt.
        """
        return cls(_entries(path))

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each tensor."""
        return {key: entry.shape for key, entry in self.entries.items()}

    @property
    def dtype(self) -> torch.dtype:
        """The format of most of the weights."""
        counts: Counter[str] = Counter()
        for entry in self.entries.values():
            counts[entry.format] += prod(entry.shape)
        return DTYPES.get(max(counts, key=counts.__getitem__, default=""), torch.float32)

    def bytes_in(self, dtype: torch.dtype) -> int:
        """The size of all tensors in a format."""
        return dtype.itemsize * sum(prod(entry.shape) for entry in self.entries.values())

    def read(
        self, key: str, dtype: torch.dtype | None = None, into: Tensor | None = None
    ) -> Tensor:
        """One tensor, in memory of its own.

        It is read, not mapped: the system finds the pages of a mapping one by one, which takes
        longer than copying them. Another format is made of it piece by piece.

        Args:
            key: its name.
            dtype: its format; None for the one in which it is stored.
            into: memory for at least as many values, one dimension in that format, of which the
                result is a view; None for new memory.

        Raises:
            EmollamaError: the file is corrupt, or the tensor no weight that can be added to.
        """
        entry = self.entries[key]
        if entry.format not in DTYPES:
            raise EmollamaError(f"{entry.path}: {key} is stored in {entry.format}, not as floats")
        stored, count = DTYPES[entry.format], prod(entry.shape)
        values = torch.empty(count, dtype=dtype or stored) if into is None else into[:count]
        try:
            with entry.path.open("rb") as file:
                file.seek(entry.first)
                if values.dtype == stored:
                    _fill(values, file)
                else:
                    piece = torch.empty(min(count, PIECE), dtype=stored)
                    for part in values.split(PIECE):
                        part.copy_(_fill(piece[: len(part)], file))
        except (OSError, ValueError) as error:
            raise EmollamaError(f"{entry.path}: is corrupt: {error}") from error
        return values.view(entry.shape)


def _fill(values: Tensor, file: BufferedReader) -> Tensor:
    """Give a tensor of one dimension the next bytes of a file."""
    # A BufferedReader goes on where the system reads less than it is asked for.
    if values.nbytes and file.readinto(values.view(torch.uint8).numpy().data) != values.nbytes:
        raise ValueError("it ends too early")
    return values


def _entries(path: Path) -> dict[str, Entry]:
    try:
        with path.open("rb") as file:
            whole = os.fstat(file.fileno()).st_size
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(size)) if 0 < size <= whole - 8 else None
        return _checked(path, header, 8 + size, whole)
    except FileNotFoundError as error:
        raise EmollamaError(f"{path}: is missing") from error
    except (KeyError, OSError, RecursionError, TypeError, ValueError) as error:
        raise EmollamaError(f"{path}: is corrupt: {error}") from error


def _checked(path: Path, header: Any, first: int, whole: int) -> dict[str, Entry]:
    """The entries of a header whose tensors fill the file from byte `first` to its end."""
    if not isinstance(header, dict):
        raise ValueError("it has no header")
    header.pop("__metadata__", None)
    found: dict[str, Entry] = {}
    bounds: list[tuple[int, int]] = []
    for key, told in header.items():
        (begin, end), shape, kind = told["data_offsets"], tuple(told["shape"]), told["dtype"]
        if not all(type(n) is int and n >= 0 for n in (begin, end, *shape)):
            raise ValueError(f"{key} has no place in it")
        if kind in DTYPES and end - begin != prod(shape) * DTYPES[kind].itemsize:
            raise ValueError(f"{key} has other bytes than its shape")
        found[key] = Entry(path, first + begin, shape, kind)
        bounds.append((begin, end))
    at = 0
    for begin, end in sorted(bounds):
        if begin != at:
            raise ValueError("its tensors overlap, or leave gaps")
        at = end
    if first + at != whole:
        raise ValueError(f"it has {whole} bytes, its header tells of {first + at}")
    return found
