"""A Whisper of random weights that knows three languages, in the transformers format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    GenerationConfig,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperTokenizer,
)

SPOKEN = ("en", "de", "zh")
_NAMED = (
    "<|endoftext|>", "<|startoftranscript|>", *(f"<|{code}|>" for code in SPOKEN), "<|translate|>",
    "<|transcribe|>", "<|notimestamps|>", *(f"<|{i * 0.02:.2f}|>" for i in range(1501)),
)  # fmt: skip


def save_whisper(folder: Path, multilingual: bool = True) -> Path:
    """Write one to a folder, the same each time."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({c: i for i, c in enumerate(letters)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens(list(_NAMED[:8]))
    inner.add_tokens(list(_NAMED[8:]))
    folder.mkdir(parents=True, exist_ok=True)
    inner.save(str(folder / "tokenizer.json"))
    end = dict.fromkeys(("bos_token", "eos_token", "unk_token", "pad_token"), "<|endoftext|>")
    tokenizer = WhisperTokenizer(tokenizer_file=str(folder / "tokenizer.json"), **end)
    ids = tokenizer.get_vocab()
    common: dict[str, Any] = {
        "bos_token_id": ids["<|endoftext|>"], "eos_token_id": ids["<|endoftext|>"],
        "pad_token_id": ids["<|endoftext|>"],
        "decoder_start_token_id": ids["<|startoftranscript|>"],
    }  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(5)
        model = WhisperForConditionalGeneration(
            WhisperConfig(
                vocab_size=len(ids), d_model=16, encoder_layers=1, decoder_layers=1,
                encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=16,
                decoder_ffn_dim=16, init_std=0.5, **common,
            )
        )  # fmt: skip
    languages: dict[str, Any] = {
        "lang_to_id": {f"<|{code}|>": ids[f"<|{code}|>"] for code in SPOKEN},
        "task_to_id": {task: ids[f"<|{task}|>"] for task in ("transcribe", "translate")},
    }
    model.generation_config = GenerationConfig(
        is_multilingual=multilingual, no_timestamps_token_id=ids["<|notimestamps|>"],
        max_length=448, **common, **(languages if multilingual else {}),
    )  # fmt: skip
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=80).save_pretrained(folder)
    return folder
