"""Weights on disk: the names and shapes in safetensors files, and one tensor at a time."""

from __future__ import annotations

import json
import mmap
from collections import Counter
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError, safe_open
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
        except (KeyError, TypeError, ValueError) as error:
            raise EmollamaError(f"{folder / INDEX_FILE}: is not an index of weights") from error
        shards = {name: _entries(folder / str(name)) for name in sorted(set(wanted.values()))}
        for key, name in wanted.items():
            if key not in shards[name]:
                raise EmollamaError(f"{folder / str(name)}: lacks {key}, which the index promises")
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

    def read(self, key: str) -> Tensor:
        """One tensor as it is stored.

        The file is mapped for this tensor alone: pages of a mapping that stays open would count
        as memory beside the weights made of them.

        Raises:
            EmollamaError: it is corrupt, or no weight that can be added to.
        """
        entry = self.entries[key]
        if entry.format not in DTYPES:
            raise EmollamaError(f"{entry.path}: {key} is stored in {entry.format}, not as floats")
        dtype, count = DTYPES[entry.format], prod(entry.shape)
        if not count:
            return torch.empty(entry.shape, dtype=dtype)
        before = entry.first % mmap.ALLOCATIONGRANULARITY
        try:
            with entry.path.open("rb") as file:
                # Private pages, as torch wants to be able to write; nothing does.
                part = mmap.mmap(
                    file.fileno(), before + count * dtype.itemsize,
                    access=mmap.ACCESS_COPY, offset=entry.first - before,
                )  # fmt: skip
        except (OSError, ValueError) as error:
            raise EmollamaError(f"{entry.path}: is corrupt: {error}") from error
        return torch.frombuffer(part, dtype=dtype, count=count, offset=before).view(entry.shape)


def _entries(path: Path) -> dict[str, Entry]:
    try:
        with safe_open(path, framework="pt") as file:
            found: dict[str, Any] = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118
        with path.open("rb") as plain:  # the header, in which there is no mistake
            size = int.from_bytes(plain.read(8), "little")
            header = json.loads(plain.read(size))
        return {
            k: Entry(
                path, 8 + size + header[k]["data_offsets"][0], tuple(s.get_shape()), s.get_dtype()
            )
            for k, s in found.items()
        }
    except FileNotFoundError as error:
        raise EmollamaError(f"{path}: is missing") from error
    except (SafetensorError, OSError) as error:
        raise EmollamaError(f"{path}: is corrupt: {error}") from error
