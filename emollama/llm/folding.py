"""The weights of an artefact, tensor by tensor, with the adapter folded into them.

A layer is read in the format in which it is stored, made float32, given its adapter's product by
peft's own code, and rounded once to the wanted format. That is what folding a whole model in
float32 and rounding it gives, bit for bit, with one layer in float32 at a time instead of all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import torch
from peft import PeftConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from emollama.assets.fingerprint import weights_fingerprint
from emollama.base.errors import EmollamaError
from emollama.base.memory import give_back_freed_memory
from emollama.llm.backbone import empty_llm, load_llm, resolve_llm
from emollama.llm.configuration import EmotionLlamaConfig, read_config
from emollama.llm.modeling import EmotionLlama
from emollama.llm.weight_files import INDEX_FILE, WEIGHTS_FILE, WeightFiles

ADAPTER_FILE = "adapter_model.safetensors"
MERGED_FILE = WEIGHTS_FILE

LANGUAGE_MODEL = "language_model."
"""Prefix of the language model's tensors in an EmotionLlama; the others are projectors'."""

WRAPPED = "base_model.model."
"""Prefix of all names in an adapter's file."""

CPU = torch.device("cpu")

GIVEN_BACK_EVERY = 1 << 26
"""Bytes of temporary layers after which freed memory goes back to the system."""


def folded(
    folder: Path, dtype: torch.dtype, device: torch.device = CPU
) -> Iterator[tuple[str, Tensor]]:
    """The tensors of an artefact, adapter folded in, in the order of the model's modules.

    Names are those of an `EmotionLlama`'s state dict: `language_model.*` in `dtype`, and
    `projector_*` in float32. Tied weights come once. The memory needed is that of one layer in
    float32 beside what the caller keeps. Everything is checked before the first tensor is given.

    Args:
        folder: an artefact, with an adapter or merged.
        dtype: of the language model's weights.
        device: where layers are folded, and where tensors are given.

    Raises:
        EmollamaError: a file is missing or corrupt, the language model is not the one that the
            adapter was trained on, or a tensor is missing or has another shape.
    """
    config = read_config(folder)
    if (folder / ADAPTER_FILE).is_file():
        return _with_adapter(folder, config, dtype, device)
    return _as_stored(folder, config, dtype, device)


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


def require_same_keys(folder: Path, model: PeftModel, adapter: WeightFiles) -> None:
    """Check that an adapter's file holds the tensors of a model: peft ignores differences.

    Raises:
        EmollamaError: naming the first difference.
    """
    wanted = {k: tuple(v.shape) for k, v in get_peft_model_state_dict(model).items()}
    stored = adapter.shapes
    for key in sorted(wanted.keys() | stored.keys()):
        if wanted.get(key) != stored.get(key):
            raise EmollamaError(
                f"{folder / ADAPTER_FILE}: does not match the model: {key} is "
                f"{stored.get(key, 'missing')}, expected {wanted.get(key, 'none')}"
            )


def _with_adapter(
    folder: Path, config: EmotionLlamaConfig, dtype: torch.dtype, device: torch.device
) -> Iterator[tuple[str, Tensor]]:
    llm = require_base(folder, config)
    with torch.device("meta"):
        model = EmotionLlama(config, empty_llm(llm))
        names = own_names(model)
        wrapped = get_peft_model(model, read_peft_config(folder))
    adapter = WeightFiles.of_file(folder / ADAPTER_FILE)
    require_same_keys(folder, cast(PeftModel, wrapped), adapter)
    tied = model.language_model.all_tied_weights_keys.values()
    for key in tied:
        if WRAPPED + LANGUAGE_MODEL + key in adapter.entries:
            raise EmollamaError(
                f"{folder / ADAPTER_FILE}: {key} was trained whole, but it is shared with the "
                "head, which was not"
            )
    base = _base_reader(llm, model, names)
    layers = {n: m for n, m in model.named_modules() if isinstance(m, LoraLayer)}

    def tensors() -> Iterator[tuple[str, Tensor]]:
        of_layer: dict[str, list[str]] = defaultdict(list)
        for name in names:
            of_layer[name.rpartition(".")[0]].append(name)
        freed = 0
        for owner, members in of_layer.items():
            if owner in layers:
                exact = {n: _copied(base(_in_llm(n)), device, torch.float32) for n in members}
                freed += 3 * sum(
                    v.nbytes for v in exact.values()
                )  # with product and scaled product
                done = _fold(layers[owner], owner, exact, adapter, device)
                del exact
                for name in members:
                    yield name, done.pop(name).to(dtype)
                if freed > GIVEN_BACK_EVERY:
                    give_back_freed_memory()
                    freed = 0
                continue
            for name in members:
                whole = WRAPPED + name in adapter.entries  # trained in full
                value = adapter.read(WRAPPED + name) if whole else base(_in_llm(name))
                yield name, _copied(value, device, _kept_in(name, dtype))

    return tensors()


def _as_stored(
    folder: Path, config: EmotionLlamaConfig, dtype: torch.dtype, device: torch.device
) -> Iterator[tuple[str, Tensor]]:
    weights = require_merged(folder, config)
    return ((n, _copied(weights.read(n), device, _kept_in(n, dtype))) for n in weights.entries)


def require_merged(folder: Path, config: EmotionLlamaConfig) -> WeightFiles:
    """The tensors of a merged artefact, in the order of the model's modules.

    Raises:
        EmollamaError: a file is missing or corrupt, or a tensor missing, unknown or misshapen.
    """
    weights = base_files(folder, config)
    with torch.device("meta"):
        model = EmotionLlama(config)
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


def read_peft_config(folder: Path) -> PeftConfig:
    """The adapter's settings.

    Raises:
        EmollamaError: the file is missing or cannot be used.
    """
    path = folder / "adapter_config.json"
    try:
        config = PeftConfig.from_pretrained(str(folder))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EmollamaError(f"{path}: cannot be used: {error}") from error
    config.inference_mode = True
    return config


def _base_reader(
    llm: Path, model: EmotionLlama, names: dict[str, tuple[int, ...]]
) -> Callable[[str], Tensor]:
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
    return state.__getitem__


def _fold(
    layer: LoraLayer,
    owner: str,
    plain: dict[str, Tensor],
    adapter: WeightFiles,
    device: torch.device,
) -> dict[str, Tensor]:
    """Weight and bias of one layer (float32) with its adapter's product."""
    module = cast(nn.Module, layer)
    state: dict[str, Tensor] = {}
    for name, _ in module.named_parameters():
        if name.startswith("base_layer."):
            state[name] = plain[f"{owner}.{name.removeprefix('base_layer.')}"]
            continue
        key = f"{WRAPPED}{owner}.{name.replace('.default', '')}"
        # peft stores the magnitudes of DoRA without the parameter's own name.
        key = key if key in adapter.entries else key.removesuffix(".weight")
        state[name] = adapter.read(key).to(device, torch.float32)
    module.load_state_dict(state, assign=True)
    with torch.no_grad():
        cast(Any, layer).merge()
    done = {f"{owner}.{n}": p.detach() for n, p in layer.get_base_layer().named_parameters()}
    module.to("meta")
    return done


def _copied(value: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """A tensor of its own: what was read is a view of a mapped file."""
    return value.to(device, dtype, copy=True)


def _kept_in(name: str, dtype: torch.dtype) -> torch.dtype:
    return dtype if name.startswith(LANGUAGE_MODEL) else torch.float32


def _in_llm(name: str) -> str:
    return name.removeprefix(LANGUAGE_MODEL)
