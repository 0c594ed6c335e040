"""The frozen language model under an EmotionLlama: found, loaded, or only its shapes."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast, get_args

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
from emollama.base.memory import map_large_blocks
from emollama.llm.options import Attention, Quantisation

NF4_BLOCK = 64
"""Weights that share a scale in 4 bits."""


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
            **bitsandbytes_settings(quantise, dtype, device, []),
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


def bitsandbytes_settings(
    quantise: Quantisation, dtype: torch.dtype, device: torch.device | None, whole: list[str]
) -> dict[str, Any]:
    """Arguments of `from_pretrained` for LLM.int8(), or NF4 with double quantisation.

    Args:
        quantise: the kind; none for "none".
        dtype: in which products are computed.
        device: where the weights are held.
        whole: modules left as they are, besides the head.

    Raises:
        EmollamaError: the kind is unknown, or the library is not installed.
    """
    require_known("quantise", quantise, get_args(Quantisation))
    if quantise == "none":
        return {}
    if find_spec("bitsandbytes") is None:
        raise EmollamaError(
            f"quantise: {quantise} needs the package bitsandbytes: pip install bitsandbytes"
        )
    from transformers import BitsAndBytesConfig

    map_large_blocks()  # quantised layers are small enough to leave gaps
    four = quantise == "4bit"
    settings = BitsAndBytesConfig(
        load_in_8bit=not four,
        load_in_4bit=four,
        llm_int8_skip_modules=[*whole, "lm_head"] if whole else None,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    return {
        "quantization_config": settings,
        "device_map": {"": device or torch.device("cpu")},
    }


def told_slow(quantise: Quantisation, device: torch.device) -> str:
    """A line for who computes with quantised weights on a CPU; empty for others."""
    if quantise == "none" or device.type != "cpu":
        return ""
    return (
        f"note: {quantise} on a CPU saves memory, not time: without a GPU it is slower than "
        "bfloat16 or float32"
    )


def settle_layout(model: torch.nn.Module, dtype: torch.dtype, trained: bool) -> None:
    """Decide which 4-bit layers bitsandbytes may repack, as it does on CPUs with AVX512-BF16.

    At the first forward in evaluation mode it repacks weights for a faster kernel, and leaves them
    so. That kernel has no backward (after a validation nothing would be learned), computes in
    bfloat16 only, and fails on rows that are no multiple of a block.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            layer = cast(Any, module)
            fits = not (layer.in_features % NF4_BLOCK or layer.out_features % (NF4_BLOCK // 2))
            fast = not trained and dtype == torch.bfloat16 and fits
            layer.support_avx512bf16_for_cpu = fast and layer.support_avx512bf16_for_cpu
