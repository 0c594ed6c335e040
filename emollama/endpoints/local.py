"""A local causal language model in transformers, decoded greedily.

The same batch gives the same texts, so a build uses batches that are fixed by the order of the
clips.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from emollama.assets import fetch
from emollama.assets.hub import local_folder, repository
from emollama.assets.registry import ASSETS
from emollama.base.errors import EmollamaError
from emollama.endpoints.client import Reply

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SAMPLED, SAMPLES = 256 * 1024, 16
"""Number and size in bytes of the samples that identify a large file."""
_WEIGHTS = (".json", ".safetensors", ".bin", ".model", ".txt", ".jinja", ".pt")


class LocalModel:
    """Answers prompts; loaded at the first prompt.

    Args:
        source: an asset ("smollm2-135m-instruct"), a folder in the transformers layout, or the
            name of a hub repository.
        where: key of the configuration, for messages.
        dtype: of the weights; "auto" is the checkpoint's own.
        repetition_penalty: as transformers defines it; None for the model's own setting.

    Raises:
        EmollamaError: `source` is none of them.
    """

    def __init__(
        self,
        source: str,
        where: str,
        dtype: Literal["auto", "float32"] = "auto",
        repetition_penalty: float | None = None,
    ) -> None:
        here = source in ASSETS or (Path(source) / "config.json").is_file()
        if not here and repository(source) is None:
            raise EmollamaError(
                f"{where}: '{source}' is neither an asset nor a folder: it holds no config.json"
            )
        self.name = source if source in ASSETS else Path(source).resolve().name
        self._source, self._dtype = source, dtype
        penalty = repetition_penalty
        self._options = {} if penalty is None else {"repetition_penalty": penalty}

    @cached_property
    def _folder(self) -> Path:
        return fetch(self._source) if self._source in ASSETS else local_folder(Path(self._source))

    @cached_property
    def fingerprint(self) -> str:
        """A hash of names, sizes and contents of its files; large files are sampled."""
        digest = hashlib.sha256()
        try:
            files = sorted(p for p in self._folder.iterdir() if p.suffix in _WEIGHTS)
            for path in files:
                size = path.stat().st_size
                digest.update(f"{path.name}\0{size}\0".encode())
                with path.open("rb") as file:
                    if size <= SAMPLED * SAMPLES:
                        digest.update(file.read())
                        continue
                    for k in range(SAMPLES):
                        file.seek((size - SAMPLED) * k // (SAMPLES - 1))
                        digest.update(file.read(SAMPLED))
        except OSError as error:
            raise EmollamaError(
                f"{self._folder}: cannot be read: {error.strerror or error}"
            ) from error
        return digest.hexdigest()[:16]

    @cached_property
    def _loaded(self) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        from emollama.base.device import default_device
        from emollama.base.quiet import quiet_libraries

        quiet_libraries()
        try:
            tokenizer = AutoTokenizer.from_pretrained(self._folder, local_files_only=True)
            model: Any = AutoModelForCausalLM.from_pretrained(
                self._folder, local_files_only=True, dtype=self._dtype
            )
        except (OSError, ValueError) as error:
            raise EmollamaError(f"{self._folder}: cannot be loaded: {error}") from error
        tokenizer.padding_side = "left"
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        return tokenizer, model.to(default_device()).eval()

    @property
    def has_chat_template(self) -> bool:
        """Whether its tokenizer has a chat template."""
        return bool(self._loaded[0].chat_template)

    def _laid_out(self, prompt: str) -> str:
        """The prompt as the user's turn of a chat; unchanged without a template.

        Special tokens in it are read as text: words in a clip cannot end a turn.
        """
        tokenizer = self._loaded[0]
        for token in (str(t) for t in tokenizer.added_tokens_decoder.values() if t.special):
            prompt = prompt.replace(token, f"{token[:1]} {token[1:]}")
        if not tokenizer.chat_template:
            return prompt
        turn = [{"role": "user", "content": prompt}]
        return str(tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True))

    def ask(
        self, prompts: Sequence[str], max_tokens: int, starts: Sequence[str] = ()
    ) -> list[Reply]:
        """The answer to each prompt; with `starts`, each answer begins with its own."""
        import torch

        tokenizer, model = self._loaded
        starts = starts or [""] * len(prompts)
        texts = [self._laid_out(p) + start for p, start in zip(prompts, starts, strict=True)]
        # A template writes its own start token.
        inputs = tokenizer(
            texts, return_tensors="pt", padding=len(texts) > 1,
            add_special_tokens=not tokenizer.chat_template,
        ).to(model.device)  # fmt: skip
        generate: Any = model.generate
        with torch.inference_mode():
            tokens = generate(
                input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"],
                max_new_tokens=max_tokens, do_sample=False, pad_token_id=tokenizer.pad_token_id,
                **self._options,
            )  # fmt: skip
        new = tokens[:, inputs["input_ids"].shape[1] :]
        return [
            Reply(
                start + str(tokenizer.decode(row, skip_special_tokens=True)),
                int(mask.sum()),
                int((row != tokenizer.pad_token_id).sum()),
            )
            for row, mask, start in zip(new, inputs["attention_mask"], starts, strict=True)
        ]
