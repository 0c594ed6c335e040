"""A causal language model of transformers on this machine, greedy, in fixed batches.

The same batch gives the same texts, so a build asks in batches that the order of the clips fixes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from emollama.assets import fetch
from emollama.assets.registry import ASSETS
from emollama.base.errors import EmollamaError
from emollama.endpoints.judge import LocalJudge

_CODE = "local-2"


class LocalModel:
    """Continues chats.

    Args:
        name: an asset ("smollm2-135m-instruct") or a folder in the transformers layout.
        where: key of the settings, for messages.

    Raises:
        EmollamaError: neither.
    """

    def __init__(self, name: str, where: str) -> None:
        if name not in ASSETS and not (Path(name) / "config.json").is_file():
            raise EmollamaError(
                f"{where}.model: '{name}' is neither an asset nor a folder with a config.json"
            )
        self.name = name if name in ASSETS else Path(name).resolve().name
        self._source = name

    @cached_property
    def _folder(self) -> Path:
        return fetch(self._source) if self._source in ASSETS else Path(self._source)

    @cached_property
    def fingerprint(self) -> str:
        """Of code version and weights."""
        inner = LocalJudge(self._folder, self.name).fingerprint
        return hashlib.sha256(f"{_CODE}:{inner}".encode()).hexdigest()[:16]

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        from emollama.base.device import default_device
        from emollama.base.quiet import quiet_libraries

        quiet_libraries()
        try:
            tokenizer = AutoTokenizer.from_pretrained(self._folder, local_files_only=True)
            model = AutoModelForCausalLM.from_pretrained(
                self._folder, local_files_only=True, dtype=torch.float32
            )
        except (OSError, ValueError) as error:
            raise EmollamaError(f"{self._folder}: cannot be loaded: {error}") from error
        tokenizer.padding_side = "left"
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        loaded: Any = model
        return tokenizer, loaded.to(default_device()).eval()

    def _plain(self, text: str) -> str:
        """A text in which nothing reads as a special token: what is said in a clip ends no turn."""
        added = self._loaded[0].added_tokens_decoder.values()
        for token in (str(t) for t in added if t.special):
            text = text.replace(token, f"{token[:1]} {token[1:]}")
        return text

    def continue_all(
        self, prompts: Sequence[str], starts: Sequence[str], max_tokens: int
    ) -> list[tuple[str, int, int]]:
        """For each prompt the answer that begins with its start, and tokens in and out.

        Raises:
            EmollamaError: the tokenizer has no chat template.
        """
        import torch

        tokenizer, model = self._loaded
        if not tokenizer.chat_template:
            raise EmollamaError(f"{self._folder}: its tokenizer has no chat template")
        texts = [
            tokenizer.apply_chat_template(
                [{"role": "user", "content": self._plain(prompt)}],
                tokenize=False, add_generation_prompt=True,
            )
            + start
            for prompt, start in zip(prompts, starts, strict=True)
        ]  # fmt: skip
        inputs = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False).to(
            model.device
        )
        with torch.inference_mode():
            tokens = model.generate(
                input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"],
                max_new_tokens=max_tokens, do_sample=False, repetition_penalty=1.1,
                pad_token_id=tokenizer.pad_token_id,
            )  # fmt: skip
        new = tokens[:, inputs["input_ids"].shape[1] :]
        told = []
        for row, mask, start in zip(new, inputs["attention_mask"], starts, strict=True):
            text = tokenizer.decode(row, skip_special_tokens=True)
            used = int((row != tokenizer.pad_token_id).sum())
            told.append((start + text, int(mask.sum()), used))
        return told
