"""The weights of an artefact, tensor by tensor, with the adapter folded into them.

A layer is read in the format in which it is stored, made float32, given its adapter's product, and
rounded once to the wanted format. That is what peft gives by folding a whole model in float32 and
rounding it, bit for bit, with one layer in float32 at a time instead of all.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Protocol

import torch
from accelerate import init_empty_weights
from torch import Tensor
from transformers import AutoModelForCausalLM
from transformers.initialization import no_init_weights

from emollama.assets.fingerprint import weights_fingerprint
from emollama.base.errors import EmollamaError
from emollama.llm.adapter import ADAPTER_FILE, WRAPPED, Adapter, adapter_of
from emollama.llm.backbone import load_llm, resolve_llm
from emollama.llm.configuration import EmotionLlamaConfig, read_config
from emollama.llm.modeling import EmotionLlama
from emollama.llm.weight_files import INDEX_FILE, WEIGHTS_FILE, WeightFiles

MERGED_FILE = WEIGHTS_FILE

LANGUAGE_MODEL = "language_model."
"""Prefix of the language model's tensors in an EmotionLlama; the others are projectors'."""

CPU = torch.device("cpu")


def folded(
    folder: Path,
    dtype: torch.dtype,
    device: torch.device = CPU,
    model: EmotionLlama | None = None,
) -> Iterator[tuple[str, Tensor]]:
    """The tensors of an artefact, adapter folded in, in the order of the model's modules.

    Names are those of an `EmotionLlama`'s state dict: `language_model.*` in `dtype`, and
    `projector_*` in float32. Tied weights come once. The memory needed is that of one layer in
    float32 beside what the caller keeps. Everything is checked before the first tensor is given.

    Args:
        folder: an artefact, with an adapter or merged.
        dtype: of the language model's weights.
        device: where layers are folded, and where tensors are given.
        model: the artefact's, without values yet; made where it is None.

    Raises:
        EmollamaError: a file is missing or corrupt, the language model is not the one that the
            adapter was trained on, or a tensor is missing or has another shape.
    """
    config = read_config(folder)
    model = model or empty_model(config)
    if (folder / ADAPTER_FILE).is_file():
        return _with_adapter(folder, config, dtype, device, model)
    return _as_stored(folder, config, dtype, device, model)


def empty_model(config: EmotionLlamaConfig, dtype: torch.dtype | str | None = None) -> EmotionLlama:
    """The model of a configuration without values, on the meta device but for its buffers."""
    with no_init_weights(), init_empty_weights(include_buffers=False):
        language_model = AutoModelForCausalLM.from_config(
            copy.deepcopy(config.text_config), dtype=dtype, attn_implementation="sdpa"
        )
        return EmotionLlama(config, language_model)


def base_dtype(folder: Path) -> torch.dtype:
    """The format in which the language model of an artefact is stored."""
    return base_files(folder, read_config(folder)).dtype


def base_files(folder: Path, config: EmotionLlamaConfig) -> WeightFiles:
    """The weights that an artefact's language model is read from: its own if it is merged.

    Raises:
        EmollamaError: there are none, or a file is corrupt.
    """
    if (folder / ADAPTER_FILE).is_file():
        return WeightFiles.of_folder(resolve_llm(config.llm))
    if not (folder / MERGED_FILE).is_file() and not (folder / INDEX_FILE).is_file():
        raise EmollamaError(f"{folder}: holds neither {ADAPTER_FILE} nor {MERGED_FILE}")
    return WeightFiles.of_folder(folder)


def own_names(model: EmotionLlama) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a model's tensors, those tied to another left out."""
    tied = {LANGUAGE_MODEL + key for key in model.language_model.all_tied_weights_keys}
    return {k: tuple(v.shape) for k, v in model.state_dict().items() if k not in tied}


def require_base(folder: Path, config: EmotionLlamaConfig) -> Path:
    """The folder of the language model that an artefact's adapter was trained on.

    Raises:
        EmollamaError: it is not there, or holds other weights.
    """
    llm = resolve_llm(config.llm)
    if config.llm_sha256 and weights_fingerprint(llm) != config.llm_sha256:
        raise EmollamaError(
            f"{folder}: the adapter was trained on other weights than those of "
            f"'{config.llm}' on this machine"
        )
    return llm


def _with_adapter(
    folder: Path,
    config: EmotionLlamaConfig,
    dtype: torch.dtype,
    device: torch.device,
    model: EmotionLlama,
) -> Iterator[tuple[str, Tensor]]:
    llm = require_base(folder, config)
    names = own_names(model)
    file = WeightFiles.of_file(folder / ADAPTER_FILE)
    adapter = adapter_of(folder, model, file)
    for pair in model.language_model.all_tied_weights_keys.items():
        for key in pair:
            name = LANGUAGE_MODEL + key
            if WRAPPED + name in file.entries or name.rpartition(".")[0] in adapter.layers:
                raise EmollamaError(
                    f"{folder / ADAPTER_FILE}: changes {key}, but {' and '.join(pair)} are one "
                    "tensor"
                )
    base = _base_reader(llm, model, names)

    def tensors() -> Iterator[tuple[str, Tensor]]:
        of_layer: dict[str, list[str]] = defaultdict(list)
        for name in names:
            of_layer[name.rpartition(".")[0]].append(name)
        room = None if dtype == torch.float32 else _room_for_one(names, adapter)
        for owner, members in of_layer.items():
            if owner in adapter.layers:
                exact = {
                    n: base(_in_llm(n), torch.float32, room if n == f"{owner}.weight" else None).to(
                        device
                    )
                    for n in members
                }
                done = adapter.fold(owner, exact)
                del exact
                for name in members:
                    yield name, done.pop(name).to(dtype)
                continue
            for name in members:
                whole = WRAPPED + name in file.entries  # trained in full
                kept = _kept_in(name, dtype)
                value = file.read(WRAPPED + name, kept) if whole else base(_in_llm(name), kept)
                yield name, value.to(device)

    return tensors()


def _room_for_one(names: dict[str, tuple[int, ...]], adapter: Adapter) -> Tensor:
    """Memory in float32 in which one layer after another is folded.

    New memory for each takes longer than folding it, and the gaps that it leaves stay the process'.
    """
    sizes = (prod(names.get(f"{layer}.weight", ())) for layer in adapter.layers)
    return torch.empty(max(sizes, default=0))


def _as_stored(
    folder: Path,
    config: EmotionLlamaConfig,
    dtype: torch.dtype,
    device: torch.device,
    model: EmotionLlama,
) -> Iterator[tuple[str, Tensor]]:
    weights = require_merged(folder, config, model)
    return ((n, weights.read(n, _kept_in(n, dtype)).to(device)) for n in weights.entries)


def require_merged(
    folder: Path, config: EmotionLlamaConfig, model: EmotionLlama | None = None
) -> WeightFiles:
    """The tensors of a merged artefact, in the order of the model's modules.

    `model` is the artefact's, without values; made where it is None.

    Raises:
        EmollamaError: a file is missing or corrupt, or a tensor missing, unknown or misshapen.
    """
    weights = base_files(folder, config)
    model = model or empty_model(config)
    names, known, stored = own_names(model), model.state_dict().keys(), weights.shapes
    for key in sorted(names.keys() | stored.keys()):
        if key not in stored or key not in known:
            kind = "missing" if key not in stored else "unexpected"
            raise EmollamaError(f"{folder / MERGED_FILE}: {kind} tensor: {key}")
        if key in names and names[key] != stored[key]:
            raise EmollamaError(
                f"{folder / MERGED_FILE}: {key} is {stored[key]}, expected {names[key]}"
            )
    return WeightFiles({name: weights.entries[name] for name in names})


class _Reader(Protocol):
    """Reads a tensor in a format, as `WeightFiles.read`."""

    def __call__(self, key: str, dtype: torch.dtype, into: Tensor | None = None) -> Tensor: ...


def _base_reader(llm: Path, model: EmotionLlama, names: dict[str, tuple[int, ...]]) -> _Reader:
    """Reads a tensor of the language model by its name there.

    Most are read from the file one by one. Where a family's files name tensors otherwise than its
    modules (fused experts, say), transformers reads them all.
    """
    files = WeightFiles.of_folder(llm)
    shapes = files.shapes
    ours = {_in_llm(n): s for n, s in names.items() if n.startswith(LANGUAGE_MODEL)}
    if all(shapes.get(name) == shape for name, shape in ours.items()):
        return files.read
    state = load_llm(llm, files.dtype).state_dict()
    return lambda key, dtype, into=None: state[key].to(dtype, copy=True)


def _kept_in(name: str, dtype: torch.dtype) -> torch.dtype:
    return dtype if name.startswith(LANGUAGE_MODEL) else torch.float32


def _in_llm(name: str) -> str:
    return name.removeprefix(LANGUAGE_MODEL)
