"""An artefact as a folder that needs no other: with its streams, or as a plain language model.

Weights are folded and written shard by shard, so that memory holds about one shard.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, GenerationConfig

from emollama.base.errors import EmollamaError
from emollama.base.files import read_text, write_text, written_whole
from emollama.base.paths import (
    CALIBRATION_FILE,
    CLUE_HEADS_FILE,
    CLUES_FILE,
    FAMILIARITY_FILE,
    PRIOR_FILE,
    PROCESSOR_FILE,
    RECORD_FILE,
    STREAMS_FOLDER,
)
from emollama.llm.backbone import resolve_llm
from emollama.llm.configuration import EmotionLlamaConfig, read_config
from emollama.llm.folding import ADAPTER_FILE, LANGUAGE_MODEL, base_dtype, folded
from emollama.llm.interop.prompt_embeddings import PROJECTORS_FILE
from emollama.llm.interop.shards import SHARD, size_in_bytes, write_shards
from emollama.llm.processing import EmotionLlamaProcessor
from emollama.runs.run_folder import CARD_FILE

Form = Literal["emollama", "llm"]
_BESIDE = (
    RECORD_FILE, CARD_FILE, CLUES_FILE, CLUE_HEADS_FILE, PRIOR_FILE, CALIBRATION_FILE,
    FAMILIARITY_FILE,
)  # fmt: skip
_PLAIN = """
## As a plain language model

The adapter is folded into the weights in this folder, which hold a language model of its own
family. `{folder}/` has the projectors and the processor, which turn the evidence of a clip into
prompt embeddings: `emollama.llm.interop.prompt_embeddings.PromptEmbeddings`.
"""


def export(
    source: Path,
    folder: Path,
    dtype: torch.dtype | None = None,
    shard: str = SHARD,
    form: Form = "emollama",
) -> None:
    """Write an artefact as a folder that needs no other files.

    Args:
        source: the artefact.
        folder: to write; an earlier export there is replaced.
        dtype: of the language model; None for that of its base. Projectors are float32.
        shard: largest size of a file of weights, e.g. 5GB.
        form: "emollama" for an artefact without an adapter; "llm" for a language model that any
            engine opens, with projectors and processor in `STREAMS_FOLDER` beside it.

    Raises:
        EmollamaError: the artefact cannot be read, or the folder holds something else.
    """
    limit = size_in_bytes(shard)
    if not (source / PROCESSOR_FILE).is_file():
        raise EmollamaError(
            f"{source}: is not a language model, which alone has an adapter and a base to export"
        )
    _require_free(folder)
    config = read_config(source)
    processor = EmotionLlamaProcessor.from_pretrained(source)
    dtype = dtype or base_dtype(source)
    tensors = folded(source, dtype)
    config.architectures = ["EmotionLlama"]
    config.quantise = "none"  # of the weights that are written
    config.dtype = config.text_config.dtype = dtype
    with written_whole(folder) as draft:
        if form == "emollama":
            write_shards(tensors, draft, limit)
            _write_streams(source, draft, config, processor)
            return
        streams = draft / STREAMS_FOLDER
        streams.mkdir()
        projectors: dict[str, Tensor] = {}
        write_shards(_plain(tensors, projectors), draft, limit)
        save_file(projectors, streams / PROJECTORS_FILE, metadata={"format": "pt"})
        _write_streams(source, streams, config, processor)
        _write_plain(source, draft, config, processor)


def _require_free(folder: Path) -> None:
    """Refuse to replace what no export wrote."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    adapter = (folder / ADAPTER_FILE).is_file()
    ours = [folder / PROCESSOR_FILE, folder / STREAMS_FOLDER / PROCESSOR_FILE]
    if adapter or not any(path.is_file() for path in ours):
        what = "an unmerged artefact" if adapter else "other files"
        raise EmollamaError(f"{folder}: holds {what}; choose another folder")


def _plain(
    tensors: Iterator[tuple[str, Tensor]], projectors: dict[str, Tensor]
) -> Iterator[tuple[str, Tensor]]:
    """The language model's tensors by its own names; the others are put aside."""
    for name, tensor in tensors:
        if name.startswith(LANGUAGE_MODEL):
            yield name.removeprefix(LANGUAGE_MODEL), tensor
        else:
            projectors[name] = tensor.contiguous()


def _write_streams(
    source: Path, folder: Path, config: EmotionLlamaConfig, processor: EmotionLlamaProcessor
) -> None:
    """Configuration, processor, and what an artefact has beside its weights."""
    config.save_pretrained(folder)
    processor.save_pretrained(folder)
    for name in _BESIDE:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)


def _write_plain(
    source: Path, folder: Path, config: EmotionLlamaConfig, processor: EmotionLlamaProcessor
) -> None:
    """What a language model's folder has beside its weights."""
    with torch.device("meta"):
        family = type(AutoModelForCausalLM.from_config(config.text_config))
    config.text_config.architectures = [family.__name__]
    config.text_config.save_pretrained(folder)
    processor.tokenizer.save_pretrained(folder)
    settings = GenerationConfig.from_model_config(config.text_config)
    if (source / ADAPTER_FILE).is_file():
        base = resolve_llm(config.llm)
        if (base / "generation_config.json").is_file():
            settings = GenerationConfig.from_pretrained(base)
    ends = settings.eos_token_id
    ends = list(ends) if isinstance(ends, list | tuple) else [] if ends is None else [ends]
    if processor.end_id not in ends:  # at which the model learned to end its answers
        settings.eos_token_id = [*ends, processor.end_id]
    settings.save_pretrained(folder)
    card = source / CARD_FILE
    text = read_text(card) if card.is_file() else f"# {folder.name}\n"
    write_text(folder / CARD_FILE, text + _PLAIN.format(folder=STREAMS_FOLDER))
