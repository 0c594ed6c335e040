"""The tokenizer of a folder, as transformers makes it, its file parsed once."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from transformers import AddedToken, AutoTokenizer, PreTrainedTokenizerBase

OLDER_FILES = ("special_tokens_map.json", "added_tokens.json")
"""Beside a tokenizer of older versions; transformers merges what they hold."""

_KEY = re.compile(r'"added_tokens":\s*')


def open_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """`AutoTokenizer.from_pretrained`; code beside the files is never run, and no hub asked.

    Raises:
        Exception: whatever its parsers do, Rust's bare one included.
    """
    told: dict[str, Any] = {}
    if (added := _added_tokens(folder)) is not None:
        told["added_tokens_decoder"] = added
    return AutoTokenizer.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False, **told
    )


def _added_tokens(folder: Path) -> dict[int, AddedToken] | None:
    """The added tokens of a tokenizer.json by id; None where transformers has to find them itself.

    It parses the whole file in Python for them, which takes half as long as everything else. They
    stand before the vocabulary, so that a beginning of the file is enough.
    """
    try:
        settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        if settings["tokenizer_class"] != "TokenizersBackend" or "added_tokens_decoder" in settings:
            return None
        if any((folder / name).exists() for name in OLDER_FILES):
            return None
        text = (folder / "tokenizer.json").read_text(encoding="utf-8")
        key = _KEY.search(text)
        if key is None or "model" in json.loads(f"{text[: key.end()]}[]}}"):
            return None
        found, _ = json.JSONDecoder().raw_decode(text, key.end())
        return {t["id"]: AddedToken(**{k: v for k, v in t.items() if k != "id"}) for t in found}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # transformers says what is wrong
