"""The frozen language model under an EmotionLlama: found, loaded, or only its shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from emollama.assets import fetch
from emollama.assets.hub import local_folder
from emollama.assets.registry import ASSETS, need_llm
from emollama.base.errors import EmollamaError, require_known
from emollama.base.files import read_json
from emollama.llm.options import Attention, Quantisation


def resolve_llm(name: str) -> Path:
    """The folder of a language model: of an asset, in the transformers format, or of a hub."""
    need_llm(name)
    return fetch(name) if name in ASSETS else local_folder(Path(name))


def load_llm(
    folder: Path,
    dtype: torch.dtype,
    attention: Attention = "sdpa",
    quantise: Quantisation = "none",
    device: torch.device | None = None,
) -> PreTrainedModel:
    """The frozen causal language model of a folder, optionally in 8 or 4 bits."""
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, local_files_only=True, trust_remote_code=False,
            use_safetensors=True, attn_implementation=attention,
            **_quantised(quantise, dtype, device),
        )  # fmt: skip
    except (OSError, ValueError, ImportError, SafetensorError) as error:
        raise EmollamaError(f"{folder}: the language model cannot be loaded: {error}") from error
    model.requires_grad_(False)
    return model


def empty_llm(folder: Path) -> PreTrainedModel:
    """The language model of a folder on the meta device: its shapes, and no values."""
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config)


def require_vocabulary(folder: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    """Raise an error if the tokenizer has more tokens than the language model has embeddings."""
    size = read_json(folder / "config.json").get("vocab_size")
    if isinstance(size, int) and len(tokenizer) > size:
        raise EmollamaError(
            f"{folder}: its tokenizer has {len(tokenizer)} tokens, its language model {size} "
            "embeddings; the tokenizer may belong to another model"
        )


def _quantised(
    quantise: Quantisation, dtype: torch.dtype, device: torch.device | None
) -> dict[str, Any]:
    """bitsandbytes' settings: LLM.int8() or NF4 with double quantisation, on a GPU only."""
    require_known("quantise", quantise, get_args(Quantisation))
    if quantise == "none":
        return {}
    if device is None or device.type != "cuda":
        raise EmollamaError(f"model.quantise: {quantise} needs a GPU; use 'none' on a CPU")
    from transformers import BitsAndBytesConfig

    four = quantise == "4bit"
    settings = BitsAndBytesConfig(
        load_in_8bit=not four,
        load_in_4bit=four,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    return {"quantization_config": settings, "device_map": {"": device}}
