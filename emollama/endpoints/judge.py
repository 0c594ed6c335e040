"""A language model that marks text, its answers kept on disk.

An answer is a function of judge, prompt and settings (temperature 0), so it is asked for once, and
a run that was stopped goes on where it was.
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
    """Who answers questions."""

    @property
    def name(self) -> str:
        """What results call it."""

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
    return CachedJudge(EndpointJudge(model, url, key_env), kept)


class EndpointJudge:
    """A model behind an OpenAI-compatible endpoint.

    Args:
        name: the model's name there.
        url: base URL, or the full one of `/chat/completions`.
        key_env: environment variable that holds the key, if the server wants one.
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
        """Of its files."""
        return self._model.fingerprint

    def reply(self, messages: Sequence[Message], failed: Callable[[str], None]) -> Reply:
        """The greedy answer."""
        del failed
        return self._model.ask([messages[-1]["content"]], MAX_TOKENS)[0]


@dataclass
class CachedJudge:
    """A judge whose answers are read from `folder` where they are there.

    Attributes:
        judge: who is asked otherwise.
        folder: of the cache.
    """

    judge: EndpointJudge | LocalJudge
    folder: Path

    @property
    def name(self) -> str:
        """The judge's."""
        return self.judge.name

    @cached_property
    def answers(self) -> Answers:
        """What is kept. A blank answer is a failure and is not: the next call asks again."""
        model = {"judge": self.name, "fingerprint": self.judge.fingerprint, "temperature": 0,
                 "max_tokens": MAX_TOKENS}  # fmt: skip
        return Answers(self.folder, model, _name, blank=False)

    def ask(self, prompt: str) -> str:
        """The answer from the cache, or from the judge and then into the cache."""
        return self.answers.ask([{"role": "user", "content": prompt}], self.judge.reply).text


def _name(model: Mapping[str, Any], messages: Sequence[Message]) -> str:
    """What an answer is kept under; answers of every release have the same names."""
    question = {**model, "prompt": messages[-1]["content"]}
    return hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()
