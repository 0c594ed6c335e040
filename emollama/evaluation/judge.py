"""A language model that marks text, its answers kept on disk.

An answer is a function of judge, prompt and settings (temperature 0), so it is asked for once:
the cache holds one small JSON file a question, and a run that was stopped goes on from there.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from emollama.assets.cache import asset_home
from emollama.errors import EmollamaError
from emollama.files import read_json, write_json

MAX_TOKENS = 512
RETRIES = 4
"""Attempts at one question; what fails after the last one ends the command."""
LARGEST_ANSWER = 4 * 1024 * 1024


class Judge(Protocol):
    """Who answers questions."""

    @property
    def name(self) -> str:
        """What results call it."""

    def ask(self, prompt: str) -> str:
        """The answer to one prompt at temperature 0."""


def open_judge(
    url: str | None, model: str | None, key_env: str | None, folder: Path | None,
    cache: Path | None,
) -> CachedJudge | None:  # fmt: skip
    """The judge that a user names, its answers kept; None where none is named.

    Args:
        url: of an OpenAI-compatible server.
        model: its name there, or what results call a local one.
        key_env: environment variable that holds the server's key.
        folder: a local model's.
        cache: where answers are kept; a folder of the asset cache by default.

    Raises:
        EmollamaError: two judges, a server without a model's name, a variable that is not set.
    """
    if url is not None and folder is not None:
        raise EmollamaError("the judge's url and its folder name two judges; give one")
    kept = cache or asset_home() / "judge"
    if folder is not None:
        return CachedJudge(LocalJudge(folder, model or ""), kept)
    if url is None:
        return None
    if not model:
        raise EmollamaError("a judge's url needs the judge's model, its name on that server")
    key = None
    if key_env is not None:
        key = os.environ.get(key_env)
        if not key:
            raise EmollamaError(f"the judge's key: environment variable '{key_env}' is not set")
    return CachedJudge(EndpointJudge(model, url, key), kept)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key to a host that nobody named."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


@dataclass
class EndpointJudge:
    """Any server that speaks OpenAI's chat completions.

    Attributes:
        name: the model's name there.
        url: base URL (`http://host:port/v1`) or the full one of `/chat/completions`.
        key: bearer token, if the server wants one.
        timeout: seconds for one attempt.
        pause: seconds before the second attempt; doubled before each further one.
    """

    name: str
    url: str
    key: str | None = field(default=None, repr=False)
    timeout: float = 120.0
    pause: float = 1.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise EmollamaError(f"judge: '{self.url}' is not an http or https URL")

    def ask(self, prompt: str) -> str:
        """Post the prompt; 429, 5xx and connection errors are tried again, `RETRIES` in all.

        Raises:
            EmollamaError: refused (4xx), no answer after the last attempt, or an answer that is
                not a chat completion.
        """
        why = ""
        for attempt in range(RETRIES):
            if attempt:
                time.sleep(self.pause * 2 ** (attempt - 1))
            try:
                return self._content(self._post(prompt))
            except urllib.error.HTTPError as error:
                why = f"status {error.code}"
                error.close()
                if error.code != 429 and error.code < 500:
                    break
            except OSError as error:  # URLError and timeouts are OSErrors
                why = str(getattr(error, "reason", error))
        raise EmollamaError(f"judge '{self.name}' at {self.url} does not answer: {why}")

    def _post(self, prompt: str) -> bytes:
        address = self.url.rstrip("/")
        if not address.endswith("/chat/completions"):
            address += "/chat/completions"
        body = {
            "model": self.name,
            "messages": [{"role": "user", "content": prompt}],
            "temperature": 0,
            "max_tokens": MAX_TOKENS,
        }
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(address, json.dumps(body).encode(), headers)
        opener = urllib.request.build_opener(_NoRedirect)
        with opener.open(request, timeout=self.timeout) as answer:
            data: bytes = answer.read(LARGEST_ANSWER)
        return data

    def _content(self, data: bytes) -> str:
        try:
            content = json.loads(data)["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError) as error:
            raise EmollamaError(
                f"judge '{self.name}' at {self.url}: its answer is not a chat completion"
            ) from error
        return content if isinstance(content, str) else ""


@dataclass
class LocalJudge:
    """A causal language model of transformers on this machine, decoded greedily.

    Attributes:
        folder: of weights and tokenizer; loaded at the first question.
        name: for results; by default the folder's name.
    """

    folder: Path
    name: str = ""

    def __post_init__(self) -> None:
        if not (self.folder / "config.json").is_file():
            raise EmollamaError(f"{self.folder}: holds no config.json; a local judge is a folder")
        self.name = self.name or self.folder.resolve().name

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        from emollama.llm.device import default_device

        try:
            tokenizer = AutoTokenizer.from_pretrained(self.folder, local_files_only=True)
            model = AutoModelForCausalLM.from_pretrained(self.folder, local_files_only=True)
        except (OSError, ValueError) as error:
            raise EmollamaError(f"{self.folder}: cannot be loaded as a judge: {error}") from error
        loaded: Any = model
        return tokenizer, loaded.to(default_device()).eval()

    def ask(self, prompt: str) -> str:
        """The greedy answer, through the tokenizer's chat template where it has one."""
        import torch

        tokenizer, model = self._loaded
        text = prompt
        if tokenizer.chat_template:
            turn = [{"role": "user", "content": prompt}]
            text = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
        # A template writes its own start token.
        inputs = tokenizer(
            text, return_tensors="pt", add_special_tokens=not tokenizer.chat_template
        ).to(model.device)
        with torch.inference_mode():
            tokens = model.generate(
                input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"],
                max_new_tokens=MAX_TOKENS, do_sample=False,
                pad_token_id=tokenizer.pad_token_id or tokenizer.eos_token_id,
            )  # fmt: skip
        new = tokens[0, inputs["input_ids"].shape[1] :]
        return str(tokenizer.decode(new, skip_special_tokens=True))


@dataclass
class CachedJudge:
    """A judge whose answers are read from `folder` where they are there.

    Attributes:
        judge: who is asked otherwise.
        folder: of the cache; None keeps nothing.
        progress: called after each question.
    """

    judge: Judge
    folder: Path | None
    progress: Callable[[], None] | None = None

    @property
    def name(self) -> str:
        """The judge's."""
        return self.judge.name

    def ask(self, prompt: str) -> str:
        """The answer from the cache, or from the judge and then into the cache."""
        if self.folder is None:
            return self.judge.ask(prompt)
        question = {"judge": self.name, "temperature": 0, "max_tokens": MAX_TOKENS,
                    "prompt": prompt}  # fmt: skip
        key = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()
        path = self.folder / key[:2] / f"{key}.json"
        if path.is_file():
            kept = read_json(path)
            if not isinstance(kept, dict) or not isinstance(kept.get("answer"), str):
                raise EmollamaError(f"{path}: is not an answer that was kept; remove the file")
            return str(kept["answer"])
        answer = self.judge.ask(prompt)
        write_json(path, {**question, "answer": answer})
        if self.progress is not None:
            self.progress()
        return answer
