"""Token ids of a subtitle, for a text encoder that is trained with the fusion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from transformers import AutoConfig
from transformers.utils import logging

from emollama.assets.tokenizer import open_tokenizer
from emollama.base.errors import EmollamaError
from emollama.fusion.data.raw_media import RawTrack

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json")
"""Every folder with a tokenizer holds one of them."""


def has_tokenizer(folder: Path) -> bool:
    """Whether a folder holds a tokenizer."""
    return any((folder / name).is_file() for name in TOKENIZER_FILES)


def load_tokenizer(folder: Path, where: str) -> Any:
    """The tokenizer in a folder; its `model_max_length` is the limit of the model beside it.

    Args:
        folder: of a transformers model, or of a tokenizer in an artefact.
        where: the beginning of error messages.

    Raises:
        EmollamaError: it is missing or cannot be read.
    """
    if not has_tokenizer(folder):
        raise EmollamaError(
            f"{where}: source '{folder}' has no tokenizer (no {TOKENIZER_FILES[0]} there)"
        )
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        tokenizer: Any = open_tokenizer(folder)
        limit = tokenizer.model_max_length
        if (folder / "config.json").is_file():
            config = AutoConfig.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
            limit = min(limit, longest_text(config) or limit)
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        reason = " ".join(str(error).split())[:200]
        raise EmollamaError(
            f"{where}: the tokenizer in {folder} cannot be read: {reason}"
        ) from error
    finally:
        logging.set_verbosity(verbosity)
    tokenizer.model_max_length = limit
    return tokenizer


def longest_text(config: Any) -> int | None:
    """The token limit of a text model; None if it has none."""
    limit = getattr(config, "max_position_embeddings", None)
    return None if limit is None else int(limit) - first_position(config)


def first_position(config: Any) -> int:
    """RoBERTa's positions begin after the padding index, others at 0."""
    padding = getattr(config, "pad_token_id", None) or 0
    return padding + 1 if config.model_type in ("roberta", "xlm-roberta", "camembert") else 0


def text_ids(tokenizer: Any, text: str | None) -> tuple[RawTrack | None, bool]:
    """Ids int32 [L] of a subtitle with the tokens that frame it, and whether it was cut.

    Special tokens in a subtitle are read as text. None without a subtitle.
    """
    said = (text or "").strip()
    if not said:
        return None, False
    limit = tokenizer.model_max_length

    def ids_of(most: int) -> list[int]:
        encoded = tokenizer(said, split_special_tokens=True, truncation=True, max_length=most)
        return list(encoded.input_ids)

    ids = ids_of(limit + 1)
    cut = len(ids) > limit
    if cut:
        ids = ids_of(limit)
    return RawTrack(np.array(ids, np.int32), np.zeros(len(ids), np.float32)), cut


def token_texts(tokenizer: Any, ids: list[int]) -> tuple[str, ...]:
    """Each token as readable text."""
    return tuple(tokenizer.decode([i]).strip() or "·" for i in ids)
