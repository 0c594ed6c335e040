"""Weights written shard by shard, as transformers reads them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from emollama.base.errors import EmollamaError
from emollama.base.files import write_json
from emollama.llm.weight_files import INDEX_FILE, WEIGHTS_FILE

SHARD = "5GB"
"""Default largest size of a shard."""
_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def size_in_bytes(text: str) -> int:
    """Bytes of a size such as 5GB or 500MB.

    Raises:
        EmollamaError: it is not a size, or is zero.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]I?B)", text.strip().upper())
    size = int(float(found[1]) * _UNITS[found[2]]) if found else 0
    if size < 1:
        raise EmollamaError(f"'{text}' is not a size; write for example {SHARD} or 500MB")
    return size


def write_shards(tensors: Iterable[tuple[str, Tensor]], folder: Path, limit: int) -> None:
    """Write tensors as they come, with no more than one shard in memory.

    One shard is `model.safetensors`; several are numbered, with an index beside them.

    Args:
        tensors: names and values, each with memory of its own.
        folder: to write into.
        limit: bytes of a shard; a tensor that is larger has a shard to itself.
    """
    places: dict[str, int] = {}
    shard: dict[str, Tensor] = {}
    held = total = count = 0

    def part(number: int) -> Path:
        return folder / f".part-{number}.safetensors"

    def write() -> None:
        nonlocal held, count
        count += 1
        save_file(shard, part(count), metadata={"format": "pt"})
        places.update(dict.fromkeys(shard, count))
        shard.clear()
        held = 0

    for name, tensor in tensors:
        size = tensor.numel() * tensor.element_size()
        if shard and held + size > limit:
            write()
        shard[name] = tensor.cpu().contiguous()
        held, total = held + size, total + size
    write()
    if count == 1:
        part(1).rename(folder / WEIGHTS_FILE)
        return
    names = {i: f"model-{i:05}-of-{count:05}.safetensors" for i in range(1, count + 1)}
    for number, name in names.items():
        part(number).rename(folder / name)
    write_json(
        folder / INDEX_FILE,
        {
            "metadata": {"total_size": total},
            "weight_map": {name: names[number] for name, number in sorted(places.items())},
        },
    )
