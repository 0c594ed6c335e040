"""The model of an artefact in memory: in full, its adapter folded in, or quantised beside it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

import torch
from safetensors import SafetensorError
from torch import nn

from emollama.base.errors import EmollamaError
from emollama.base.precision import Quantisation
from emollama.llm.adapter import ADAPTER_FILE, peft_shapes, require_same_shapes
from emollama.llm.backbone import bitsandbytes_settings, load_llm, settle_layout
from emollama.llm.configuration import EmotionLlamaConfig
from emollama.llm.folding import empty_model, folded, require_base, require_merged
from emollama.llm.modeling import EmotionLlama
from emollama.llm.room import require_room, size_of
from emollama.llm.weight_files import WeightFiles


def load_model(
    folder: Path,
    config: EmotionLlamaConfig,
    dtype: torch.dtype,
    device: torch.device,
    quantise: Quantisation,
) -> EmotionLlama:
    """The model of an artefact; see `artefact.load`.

    Raises:
        EmollamaError: as `artefact.load`, or it does not fit into the memory that is free.
    """
    require_room(folder, size_of(folder, config), dtype, quantise, device)
    if quantise == "none":
        return _load_folded(folder, config, dtype, device)
    if (folder / ADAPTER_FILE).is_file():
        model = _load_beside(folder, config, dtype, device, quantise)
    else:
        model = _load_quantised(folder, config, dtype, device, quantise)
    settle_layout(model, dtype, trained=False)
    return model


def _load_folded(
    folder: Path, config: EmotionLlamaConfig, dtype: torch.dtype, device: torch.device
) -> EmotionLlama:
    """The model with its adapter folded in, never larger than its weights and one layer."""
    model = empty_model(config, dtype)
    tensors = dict(folded(folder, dtype, device, model))
    model.load_state_dict(tensors, strict=False, assign=True)
    model.language_model.tie_weights()
    return cast(EmotionLlama, cast(nn.Module, model).to(device).requires_grad_(False))


def _assign(model: EmotionLlama, name: str, tensor: torch.Tensor) -> None:
    owner, _, leaf = name.rpartition(".")
    model.get_submodule(owner).load_state_dict({leaf: tensor}, strict=False, assign=True)


def _load_beside(
    folder: Path,
    config: EmotionLlamaConfig,
    dtype: torch.dtype,
    device: torch.device,
    quantise: Quantisation,
) -> EmotionLlama:
    """The language model in 8 or 4 bits, and the adapter's layers beside it in float32."""
    from peft import PeftModel

    llm = require_base(folder, config)
    model = EmotionLlama(config, load_llm(llm, dtype, quantise=quantise, device=device))
    try:
        wrapped = PeftModel.from_pretrained(model, str(folder))
    except (
        OSError, ValueError, RuntimeError, SafetensorError, KeyError, TypeError, re.error,
    ) as error:  # fmt: skip
        raise EmollamaError(f"{folder / ADAPTER_FILE}: cannot be loaded: {error}") from error
    require_same_shapes(folder, peft_shapes(wrapped), WeightFiles.of_file(folder / ADAPTER_FILE))
    _projectors_to(model, device)
    return cast(EmotionLlama, wrapped.get_base_model())


def _load_quantised(
    folder: Path,
    config: EmotionLlamaConfig,
    dtype: torch.dtype,
    device: torch.device,
    quantise: Quantisation,
) -> EmotionLlama:
    """A merged artefact in 8 or 4 bits; its projectors in float32."""
    weights = require_merged(folder, config)
    projectors = [f"projector_{s.name}" for s in config.stream_configs]
    model: EmotionLlama = EmotionLlama.from_pretrained(
        folder, config=config, dtype=dtype, local_files_only=True, use_safetensors=True,
        **bitsandbytes_settings(quantise, dtype, device, projectors),
    )  # fmt: skip
    for name in weights.entries:
        if name.startswith("projector_"):
            _assign(model, name, weights.read(name, torch.float32))
    _projectors_to(model, device)
    return model


def _projectors_to(model: EmotionLlama, device: torch.device) -> None:
    for stream in model.config.stream_configs:
        getattr(model, f"projector_{stream.name}").to(device)
