"""A language model that marks text, its answers kept on disk.

An answer is a function of judge, prompt and settings (temperature 0), so it is asked for once:
the cache holds one small JSON file a question, and a run that was stopped goes on from there.
"""

from __future__ import annotations

import hashlib
import http.client
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
from emollama.base.errors import EmollamaError
from emollama.base.files import read_json, write_json

MAX_TOKENS = 512
RETRIES = 4
"""Attempts at one question; what fails after the last one ends the command."""
LARGEST_ANSWER = 4 * 1024 * 1024
SAMPLED, SAMPLES = 256 * 1024, 16
"""Of a large file of a local judge, so many bytes are read at so many places to tell it apart."""
_WEIGHTS = (".json", ".safetensors", ".bin", ".model", ".txt", ".jinja", ".pt")


class Judge(Protocol):
    """Who answers questions."""

    @property
    def name(self) -> str:
        """What results call it."""

    @property
    def fingerprint(self) -> str:
        """What tells it apart from another judge of the same name."""

    def ask(self, prompt: str) -> str:
        """The answer to one prompt at temperature 0; blank where there is none."""


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
        if not _is_address(self.url):
            raise EmollamaError(
                f"judge: '{self.url}' is not an http or https URL (ASCII, without blanks)"
            )
        if self.key and not (self.key.isascii() and self.key.isprintable()):
            raise EmollamaError(
                "the judge's key holds a line break or a character that is not ASCII; no header "
                "may hold it"
            )

    @property
    def fingerprint(self) -> str:
        """A hash of the address, which may hold a secret."""
        return hashlib.sha256(self._address().encode()).hexdigest()[:16]

    def _address(self) -> str:
        address = self.url.rstrip("/")
        return address if address.endswith("/chat/completions") else address + "/chat/completions"

    def ask(self, prompt: str) -> str:
        """Post the prompt; 429, 5xx and connection errors are tried again, `RETRIES` in all.

        A completion without text is a blank answer.

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
            except http.client.HTTPException as error:
                why = f"its answer is broken ({type(error).__name__}: {error})"
            except ValueError as error:  # a host that no name can be, e.g. too long
                why = str(error)
                break
        raise EmollamaError(
            f"judge '{self.name}' at {self.url} does not answer: {' '.join(why.split())}"
        )

    def _post(self, prompt: str) -> bytes:
        body = {
            "model": self.name,
            "messages": [{"role": "user", "content": prompt}],
            "temperature": 0,
            "max_tokens": MAX_TOKENS,
        }
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(self._address(), json.dumps(body).encode(), headers)
        opener = urllib.request.build_opener(_NoRedirect)
        with opener.open(request, timeout=self.timeout) as answer:
            data: bytes = answer.read(LARGEST_ANSWER)
            if answer.length:  # of what was promised; a read with a limit does not say so itself
                raise http.client.IncompleteRead(data, answer.length)
        return data

    def _content(self, data: bytes) -> str:
        try:
            content = json.loads(data)["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise EmollamaError(
                f"judge '{self.name}' at {self.url}: its answer is not a chat completion"
            ) from error
        # JSON may name half a character, which no file can hold.
        text = content if isinstance(content, str) else ""
        return text.encode("utf-8", "replace").decode("utf-8")


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, brackets that are no IPv6
        return False
    return whole and url.isascii() and url.isprintable() and " " not in url


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
    def fingerprint(self) -> str:
        """A hash of names, sizes and contents of its files, of large ones in samples."""
        digest = hashlib.sha256()
        try:
            files = sorted(p for p in self.folder.iterdir() if p.suffix in _WEIGHTS)
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
                f"{self.folder}: cannot be read: {error.strerror or error}"
            ) from error
        return digest.hexdigest()[:16]

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        from emollama.base.device import default_device

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

    @property
    def fingerprint(self) -> str:
        """The judge's."""
        return self.judge.fingerprint

    def ask(self, prompt: str) -> str:
        """The answer from the cache, or from the judge and then into the cache.

        A blank one is a failure and is not kept: the next call asks again.
        """
        if self.folder is None:
            return self.judge.ask(prompt)
        question = {"judge": self.name, "fingerprint": self.fingerprint, "temperature": 0,
                    "max_tokens": MAX_TOKENS, "prompt": prompt}  # fmt: skip
        key = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()
        path = self.folder / key[:2] / f"{key}.json"
        if path.is_file():
            kept = read_json(path)
            if not isinstance(kept, dict) or not isinstance(kept.get("answer"), str):
                raise EmollamaError(f"{path}: is not an answer that was kept; remove the file")
            return str(kept["answer"])
        answer = self.judge.ask(prompt)
        if answer.strip():
            write_json(path, {**question, "answer": answer})
        if self.progress is not None:
            self.progress()
        return answer
