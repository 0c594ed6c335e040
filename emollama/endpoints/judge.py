"""A language model as a judge of text, with its answers cached on disk.

An answer is a function of judge, prompt and settings (temperature 0), so each question is asked
once, and a stopped run resumes where it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from emollama.assets.cache import asset_home
from emollama.base.errors import EmollamaError
from emollama.endpoints.answers import Answers
from emollama.endpoints.client import Endpoint, Message, NoReplyError, Reply
from emollama.endpoints.local import LocalModel

MAX_TOKENS = 512
RETRIES = 4
"""Attempts at one question; the command ends when the last one fails."""


class Judge(Protocol):
    """A model that answers prompts."""

    @property
    def name(self) -> str:
        """Its name in results."""

    def ask(self, prompt: str) -> str:
        """The answer to one prompt at temperature 0; empty where there is none."""


def open_judge(
    url: str | None, model: str | None, key_env: str | None, folder: Path | None,
    cache: Path | None,
) -> CachedJudge | None:  # fmt: skip
    """The judge that a user names, with a cache; None if none is named.

    Args:
        url: of an OpenAI-compatible server.
        model: its name on the server, or the name of a local model in results.
        key_env: environment variable that holds the server's key.
        folder: of a local model.
        cache: folder of cached answers; in the asset cache by default.

    Raises:
        EmollamaError: two judges, a server without a model's name, a variable that is not set.
    """
    if url is not None and folder is not None:
        raise EmollamaError("--judge-url and --judge-folder name two judges; give one of them")
    kept = cache or asset_home() / "judge"
    if folder is not None:
        return CachedJudge(LocalJudge(folder, model or ""), kept)
    if url is None:
        return None
    if not model:
        raise EmollamaError(
            "a judge's URL also needs the name of the judge's model on that server: judge.model in "
            "a configuration, --judge-model of a command"
        )
    return CachedJudge(EndpointJudge(model, url, key_env), kept)


class EndpointJudge:
    """A model behind an OpenAI-compatible endpoint.

    Args:
        name: the model's name on the server.
        url: base URL, or the full URL of `/chat/completions`.
        key_env: environment variable that holds the key, if the server needs one.
        pause: seconds before the second attempt; doubled before each further one.
    """

    def __init__(self, name: str, url: str, key_env: str | None = None, pause: float = 1.0) -> None:
        self.name = name
        self._endpoint = Endpoint(
            "judge", url, name, key_env, max_tokens=MAX_TOKENS, retries=RETRIES - 1, pause=pause
        )

    @property
    def fingerprint(self) -> str:
        """A hash of the address."""
        return hashlib.sha256(self._endpoint.address.encode()).hexdigest()[:16]

    def reply(self, messages: Sequence[Message], failed: Callable[[str], None]) -> Reply:
        """One completion.

        Raises:
            EmollamaError: refused, or no answer after `RETRIES` attempts.
        """
        try:
            return self._endpoint.ask(messages, failed)
        except NoReplyError as error:
            raise EmollamaError(
                f"judge '{self.name}' at {self._endpoint.url} does not answer: {error}"
            ) from error


class LocalJudge:
    """A model in a folder of transformers.

    Args:
        folder: of weights and tokenizer.
        name: for results; by default the folder's name.
    """

    def __init__(self, folder: Path, name: str = "") -> None:
        self._model = LocalModel(str(folder), "judge.folder")
        self.name = name or self._model.name

    @property
    def fingerprint(self) -> str:
        """A hash of its files."""
        return self._model.fingerprint

    def reply(self, messages: Sequence[Message], failed: Callable[[str], None]) -> Reply:
        """The greedy answer."""
        del failed
        return self._model.ask([messages[-1]["content"]], MAX_TOKENS)[0]


@dataclass
class CachedJudge:
    """A judge whose answers are cached in `folder`.

    Attributes:
        judge: asked for answers that are not cached.
        folder: folder of the cache.
        asks: whether it is asked what is not cached.
    """

    judge: EndpointJudge | LocalJudge
    folder: Path
    asks: bool = True

    @property
    def name(self) -> str:
        """The judge's."""
        return self.judge.name

    @cached_property
    def answers(self) -> Answers:
        """The cache. An empty answer is a failure and is not cached: the next call asks again."""
        model = {"judge": self.name, "fingerprint": self.judge.fingerprint, "temperature": 0,
                 "max_tokens": MAX_TOKENS}  # fmt: skip
        return Answers(self.folder, model, _name, blank=False)

    def ask(self, prompt: str) -> str:
        """The cached answer, or the judge's, which is then cached.

        Raises:
            EmollamaError: there is none and the judge is not to be asked, or it does not answer.
        """
        if not self.asks:
            kept = self.answers.known(_name(self.answers.model, [{"content": prompt}]))
            if kept is None:
                raise EmollamaError(
                    f"judge '{self.name}' has not been asked about it: run its --shard to the end, "
                    "or leave out --merge, which asks about the rest"
                )
            return kept.text
        return self.answers.ask([{"role": "user", "content": prompt}], self.judge.reply).text


def _name(model: Mapping[str, Any], messages: Sequence[Message]) -> str:
    """The key of an answer; it is the same in every release."""
    question = {**model, "prompt": messages[-1]["content"]}
    return hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()
