"""Whether a language model fits into the memory that is free, asked before it is loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import torch

from emollama.base.errors import EmollamaError
from emollama.base.memory import free_memory
from emollama.base.precision import Quantisation
from emollama.llm.configuration import EmotionLlamaConfig
from emollama.llm.folding import base_files
from emollama.llm.weight_files import WeightFiles

BYTES = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0, "8bit": 1.0, "4bit": 0.53}
"""Bytes per weight of the LLM's linear layers; NF4 with double quantisation adds 0.03."""

OPENING = {
    "bfloat16": "--dtype bfloat16", "8bit": "--quantise 8bit", "4bit": "--quantise 4bit",
}  # fmt: skip
"""How a command is told to hold a model otherwise, from most to least exact."""

TRAINING = {
    "bfloat16": "model.dtype=bfloat16",
    "8bit": "model.quantise=8bit",
    "4bit": "model.quantise=4bit",
}
"""The same for a training configuration."""


EDGES = re.compile(r"embed|wte|wpe|head")
"""Matrices at a language model's ends, which are never quantised, by their names."""


@dataclass(frozen=True)
class Size:
    """Numbers of weights: of linear layers, which can be quantised; of the others; and of the
    largest tensor.
    """

    linear: int
    other: int
    largest: int

    def bytes_in(self, held: str, other: float) -> float:
        """Memory of the weights, held in a format of `BYTES`, the others in `other` bytes each."""
        return self.linear * BYTES[held] + self.other * other

    def peak(self, held: str, other: float) -> float:
        """The same while it is opened or answers: one tensor in float32 beside the weights."""
        return self.bytes_in(held, other) + 4 * self.largest


def size_of(folder: Path, config: EmotionLlamaConfig) -> Size:
    """The size of an artefact's language model, by the headers of its files."""
    return size_of_files(base_files(folder, config))


def size_of_files(files: WeightFiles) -> Size:
    """The size of a language model: matrices are its linear layers but for embeddings and head."""
    counts = {True: 0, False: 0}
    for name, shape in files.shapes.items():
        counts[len(shape) == 2 and not EDGES.search(name)] += prod(shape)
    return Size(counts[True], counts[False], max(map(prod, files.shapes.values()), default=0))


def require_room(
    what: Path | str,
    size: Size,
    dtype: torch.dtype,
    quantise: Quantisation,
    device: torch.device,
    ways: Mapping[str, str] = OPENING,
) -> None:
    """Refuse a model that would not fit, before the system stops the process.

    Raises:
        EmollamaError: with the memory it needs, the memory there is, and what would fit.
    """
    free = free_memory(device)
    name = str(dtype).removeprefix("torch.")
    held = name if quantise == "none" else quantise
    need = size.bytes_in(held, dtype.itemsize)
    if free is None or size.peak(held, dtype.itemsize) <= free:
        return
    smaller = {w: size.bytes_in(k, 2) for k, w in ways.items() if BYTES[k] < BYTES[held]}
    fits = [f"{way} ({b / 1e9:.1f} GB)" for way, b in smaller.items() if b <= free]
    least = min(smaller.values(), default=need)
    advice = (
        f"what fits: {', '.join(fits)}" if fits else f"at least {least / 1e9:.1f} GB are needed"
    )
    raise EmollamaError(
        f"{what}: its weights take {need / 1e9:.1f} GB in {held}, and {free / 1e9:.1f} GB of "
        f"{'memory' if device.type == 'cpu' else 'GPU memory'} are free; {advice}"
    )
