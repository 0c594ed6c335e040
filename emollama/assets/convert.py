"""Converters: from the files in a wheel to a folder of safetensors and json.

Each takes (folder with the wheel's members, empty output folder). Heavy libraries are imported
inside, so that listing assets costs nothing.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emollama.assets.ctranslate2 import read_model
from emollama.assets.models import MULTILINGUAL
from emollama.base.errors import EmollamaError
from emollama.base.files import read_json

if TYPE_CHECKING:
    import torch

WEIGHTS = "model.safetensors"
"""The file that holds the weights in every converted folder."""


def smollm2(source: Path, out: Path) -> None:
    """GGUF (Q4_1) to a dense fp32 transformers folder with its tokenizer.

    Stored in fp32 because 4-bit values with their fp16 scale and offset are not exact in 16 bits.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    model = AutoModelForCausalLM.from_pretrained(
        source,
        gguf_file="model.gguf",
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.float32,
    )
    tokenizer = AutoTokenizer.from_pretrained(source, gguf_file="model.gguf")
    end = "<|im_end|>"
    tokenizer.eos_token = end
    tokenizer.pad_token = end
    if not tokenizer.chat_template:
        raise EmollamaError("SmolLM2: the file has no chat template")
    for config in (model.config, model.generation_config):
        config.eos_token_id = tokenizer.eos_token_id
        config.pad_token_id = tokenizer.pad_token_id
        config.bos_token_id = tokenizer.bos_token_id
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def whisper(source: Path, out: Path) -> None:
    """CTranslate2 binary to a transformers Whisper folder with tokenizer and feature extractor."""
    import torch
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperTokenizer,
    )

    spec, variables = read_model(source / "model.bin")
    if spec != "WhisperSpec":
        raise EmollamaError(f"model.bin: holds a {spec}, a WhisperSpec was expected")
    width = variables["encoder/conv1/bias"].shape[0]
    vocabulary = variables["decoder/embeddings/weight"].shape[0]
    tokenizer = WhisperTokenizer(
        tokenizer_file=str(source / "tokenizer.json"),
        bos_token="<|endoftext|>",
        eos_token="<|endoftext|>",
        unk_token="<|endoftext|>",
        pad_token="<|endoftext|>",
    )
    start, end, plain = (
        tokenizer.get_vocab()[token]
        for token in ("<|startoftranscript|>", "<|endoftext|>", "<|notimestamps|>")
    )
    config = WhisperConfig(
        vocab_size=vocabulary,
        d_model=width,
        encoder_layers=_count(variables, "encoder/layer_"),
        decoder_layers=_count(variables, "decoder/layer_"),
        encoder_attention_heads=int(variables["encoder/num_heads"]),
        decoder_attention_heads=int(variables["decoder/num_heads"]),
        encoder_ffn_dim=variables["encoder/layer_0/ffn/linear_0/bias"].shape[0],
        decoder_ffn_dim=variables["decoder/layer_0/ffn/linear_0/bias"].shape[0],
        max_source_positions=variables["encoder/position_encodings/encodings"].shape[0],
        max_target_positions=variables["decoder/position_encodings/encodings"].shape[0],
        num_mel_bins=variables["encoder/conv1/weight"].shape[1],
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        decoder_start_token_id=start,
    )
    model = WhisperForConditionalGeneration(config)
    state = {f"model.{k}": torch.from_numpy(v) for k, v in _whisper_state(variables).items()}
    state["proj_out.weight"] = state["model.decoder.embed_tokens.weight"]
    model.load_state_dict(state, strict=True)
    extra = read_json(source / "config.json")
    many = vocabulary >= MULTILINGUAL
    spoken = {tokenizer.convert_ids_to_tokens(i): i for i in extra["lang_ids"]} if many else {}
    tasks = {t: tokenizer.get_vocab()[f"<|{t}|>"] for t in ("transcribe", "translate")}
    languages = {"lang_to_id": spoken, "task_to_id": tasks} if many else {}
    model.generation_config = GenerationConfig(
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        decoder_start_token_id=start,
        no_timestamps_token_id=plain,
        is_multilingual=many,
        max_length=config.max_target_positions,
        suppress_tokens=extra["suppress_ids"],
        begin_suppress_tokens=extra["suppress_ids_begin"],
        alignment_heads=extra["alignment_heads"],
        **languages,
    )
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    WhisperFeatureExtractor(feature_size=config.num_mel_bins).save_pretrained(out)


def _count(variables: dict[str, np.ndarray], prefix: str) -> int:
    numbers = {n[len(prefix) :].split("/")[0] for n in variables if n.startswith(prefix)}
    return sum(number.isdigit() for number in numbers)


def _whisper_state(variables: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Names and shapes of `WhisperModel`: fused q, k, v are split, and k loses its zero bias."""
    state: dict[str, np.ndarray] = {}

    def put(name: str, source: str) -> None:
        for end, theirs in (("weight", ("weight", "gamma")), ("bias", ("bias", "beta"))):
            for key in theirs:
                if f"{source}/{key}" in variables:
                    state[f"{name}.{end}"] = variables[f"{source}/{key}"].astype(np.float32)

    def split(name: str, source: str, parts: tuple[str, ...]) -> None:
        for end in ("weight", "bias"):
            pieces = np.split(variables[f"{source}/{end}"].astype(np.float32), len(parts))
            for part, piece in zip(parts, pieces, strict=True):
                if (part, end) != ("k", "bias"):
                    state[f"{name}.{part}_proj.{end}"] = np.ascontiguousarray(piece)

    for side in ("encoder", "decoder"):
        put(f"{side}.layer_norm", f"{side}/layer_norm")
        positions = variables[f"{side}/position_encodings/encodings"]
        state[f"{side}.embed_positions.weight"] = positions.astype(np.float32)
        for i in range(_count(variables, f"{side}/layer_")):
            ours, theirs = f"{side}.layers.{i}", f"{side}/layer_{i}"
            attention = f"{theirs}/self_attention"
            put(f"{ours}.self_attn_layer_norm", f"{attention}/layer_norm")
            split(f"{ours}.self_attn", f"{attention}/linear_0", ("q", "k", "v"))
            put(f"{ours}.self_attn.out_proj", f"{attention}/linear_1")
            put(f"{ours}.final_layer_norm", f"{theirs}/ffn/layer_norm")
            put(f"{ours}.fc1", f"{theirs}/ffn/linear_0")
            put(f"{ours}.fc2", f"{theirs}/ffn/linear_1")
            if side == "decoder":
                cross = f"{theirs}/attention"
                put(f"{ours}.encoder_attn_layer_norm", f"{cross}/layer_norm")
                split(f"{ours}.encoder_attn", f"{cross}/linear_0", ("q",))
                split(f"{ours}.encoder_attn", f"{cross}/linear_1", ("k", "v"))
                put(f"{ours}.encoder_attn.out_proj", f"{cross}/linear_2")
    put("encoder.conv1", "encoder/conv1")
    put("encoder.conv2", "encoder/conv2")
    state["decoder.embed_tokens.weight"] = variables["decoder/embeddings/weight"].astype(np.float32)
    return state


def as_it_is(source: Path, out: Path) -> None:
    """A transformers folder with safetensors: nothing to convert."""
    for path in source.iterdir():
        shutil.copyfile(path, out / path.name)


def mtcnn(source: Path, out: Path) -> None:
    """The three networks' state dicts into one file, names prefixed by pnet, rnet, onet."""
    import torch
    from safetensors.torch import save_file

    state: dict[str, torch.Tensor] = {}
    for net in ("pnet", "rnet", "onet"):
        # weights_only: tensors are read, nothing in the pickle is executed.
        loaded = torch.load(source / f"{net}.pt", map_location="cpu", weights_only=True)
        state |= {f"{net}.{name}": tensor.contiguous() for name, tensor in loaded.items()}
    save_file(state, out / WEIGHTS)


def resemblyzer(source: Path, out: Path) -> None:
    """The network of a training checkpoint; optimizer and similarity scale are left behind."""
    import torch
    from safetensors.torch import save_file

    # weights_only: tensors are read, nothing in the pickle is executed.
    loaded = torch.load(source / "pretrained.pt", map_location="cpu", weights_only=True)
    kept = {n: t for n, t in loaded["model_state"].items() if n.startswith(("lstm.", "linear."))}
    save_file({name: tensor.contiguous() for name, tensor in kept.items()}, out / WEIGHTS)


def mini_xception(source: Path, out: Path) -> None:
    """Keras HDF5 to safetensors; each batch normalisation is folded into the layer before it."""
    import h5py
    from safetensors.numpy import save_file

    with h5py.File(source / "model.hdf5", "r") as file:
        weights = file["model_weights"]

        def read(layer: str, name: str) -> np.ndarray:
            return np.asarray(weights[layer][f"{layer}_1"][f"{name}:0"], np.float64)

        def folded(kernel: np.ndarray, norm: int) -> tuple[np.ndarray, np.ndarray]:
            layer = f"batch_normalization_{norm}"
            gamma, beta = read(layer, "gamma"), read(layer, "beta")
            mean, variance = read(layer, "moving_mean"), read(layer, "moving_variance")
            scale = gamma / np.sqrt(variance + 1e-3)
            return kernel * scale, beta - mean * scale

        state: dict[str, np.ndarray] = {}

        def put(name: str, kernel: np.ndarray, bias: np.ndarray | None = None) -> None:
            # Keras keeps (height, width, in, out); torch wants (out, in, height, width).
            state[f"{name}.weight"] = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1), np.float32)
            if bias is not None:
                state[f"{name}.bias"] = bias.astype(np.float32)

        for i in (1, 2):
            put(f"conv{i}", *folded(read(f"conv2d_{i}", "kernel"), i))
        for block in range(4):
            ours = f"blocks.{block}"
            put(f"{ours}.skip", *folded(read(f"conv2d_{block + 3}", "kernel"), 3 * block + 3))
            for i in (1, 2):
                layer = f"separable_conv2d_{2 * block + i}"
                depthwise = read(layer, "depthwise_kernel").transpose(0, 1, 3, 2)
                put(f"{ours}.depthwise{i}", depthwise)
                pointwise = read(layer, "pointwise_kernel")
                put(f"{ours}.pointwise{i}", *folded(pointwise, 3 * block + 3 + i))
        put("head", read("conv2d_7", "kernel"), read("conv2d_7", "bias"))
    save_file(state, out / WEIGHTS)
