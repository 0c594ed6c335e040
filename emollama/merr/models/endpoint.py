"""Any server that speaks OpenAI's chat completions, with pictures and sound where it takes them.

Failures that may pass (429, 5xx, timeouts, broken connections and bodies) are tried again with
growing pauses, a `Retry-After` of the server being heeded; a refusal (other 4xx) is not.
What a server says is kept for people without the key, which some servers repeat.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from emollama.base.errors import EmollamaError
from emollama.merr.settings import ModelSection

LARGEST_ANSWER = 4 * 1024 * 1024
_PASSING = (408, 425, 429)
_FOR_ALL = (401, 402, 404, 405, 407)  # no key, no money, no such model or path: not this question
LONGEST_PAUSE = 60.0
LONGEST_IDLE = 3.0
"""Seconds after which a connection is not used again: servers close those that nobody uses."""
Message = Mapping[str, Any]


@dataclass(frozen=True)
class Reply:
    """What came back.

    Attributes:
        text: of the first choice.
        tokens_in, tokens_out: as the server counts them; 0 where it does not.
    """

    text: str
    tokens_in: int
    tokens_out: int


class NoReplyError(Exception):
    """A question without an answer.

    Attributes:
        refused: the server refused this question, and would again.
        everyone: it would refuse any other question, too.
    """

    def __init__(self, message: str, refused: bool, everyone: bool = False) -> None:
        super().__init__(message)
        self.refused, self.everyone = refused, everyone


class _TransientError(Exception):
    """One try that failed; `wait` is what the server asks for, in seconds."""

    def __init__(self, what: str, wait: float | None = None) -> None:
        super().__init__(what)
        self.wait = wait


class _RefusedError(Exception):
    """A question that the server will not answer."""

    def __init__(self, status: int, told: str) -> None:
        super().__init__(f"status {status}: {told}")
        self.status = status
        self.everyone = status in _FOR_ALL or 300 <= status < 400


@dataclass
class Endpoint:
    """A model at a URL; any number of threads may ask, `concurrency` requests are open at a time.

    Attributes:
        section: name, address and limits.
        where: key of the settings, for messages ("refine").
        sleep: waits between tries.
    """

    section: ModelSection
    where: str
    sleep: Callable[[float], None] = time.sleep
    _local: threading.local = field(default_factory=threading.local, repr=False)

    def __post_init__(self) -> None:
        url = self.section.url
        try:
            parts = urlsplit(url)
            whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            whole = False
        if not whole or not url.isascii() or not url.isprintable() or " " in url:
            raise EmollamaError(
                f"{self.where}.url: '{url}' is not an http or https address such as "
                "http://localhost:8000/v1"
            )
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise EmollamaError(
                f"{self.where}.url: is a scheme, a host, a port and a path, nothing else; a key "
                f"goes into an environment variable, which {self.where}.key_env names"
            )
        if not self.section.model:
            raise EmollamaError(f"{self.where}.model: an endpoint needs the model's name there")
        name = self.section.key_env
        self._key = os.environ.get(name, "") if name else ""
        if name and not self._key:
            raise EmollamaError(f"{self.where}.key_env: environment variable '{name}' is not set")
        if not (self._key.isascii() and self._key.isprintable()):
            raise EmollamaError(f"{self.where}.key_env: '{name}' holds what no header may hold")
        path = parts.path.rstrip("/")
        self._path = path if path.endswith("/chat/completions") else path + "/chat/completions"
        self._parts = parts
        self._slots = threading.BoundedSemaphore(self.section.concurrency)

    @property
    def name(self) -> str:
        """The model's name there."""
        return self.section.model

    @property
    def asked(self) -> dict[str, Any]:
        """What answers depend on besides the messages."""
        section = self.section
        return {"model": section.model, "temperature": section.temperature,
                "max_tokens": section.max_tokens, "body": section.body}  # fmt: skip

    def ask(self, messages: Sequence[Message], failed: Callable[[str], None]) -> Reply:
        """One completion.

        Args:
            messages: of the chat.
            failed: told of each try without an answer how it ended, when it has.

        Raises:
            NoReplyError: refused, or no answer after all tries.
        """
        last = ""
        for attempt in range(self.section.retries + 1):
            try:
                with self._slots:
                    text, used = self._once(messages)
                return Reply(text, *used)
            except _TransientError as error:
                last = str(error)
                failed(last)
                if attempt < self.section.retries:
                    self.sleep(self._pause(attempt, error.wait))
            except _RefusedError as error:
                failed(str(error.status))
                raise NoReplyError(str(error), True, error.everyone) from error
        tries = self.section.retries + 1
        raise NoReplyError(f"no answer after {tries} tries, the last: {last}", False)

    def _pause(self, attempt: int, wanted: float | None) -> float:
        """Doubling, spread so that waiting threads do not all come back at once."""
        grown = self.section.pause * 2**attempt * random.uniform(0.75, 1.25)
        return min(max(grown, wanted or 0.0), LONGEST_PAUSE)

    def _once(self, messages: Sequence[Message]) -> tuple[str, tuple[int, int]]:
        request = {
            "model": self.section.model,
            "messages": list(messages),
            "temperature": self.section.temperature,
            "max_tokens": self.section.max_tokens,
            **self.section.body,
        }
        body = json.dumps({k: v for k, v in request.items() if v is not None}).encode()
        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        connection = self._connection()
        try:
            connection.request("POST", self._path, body, headers)
            answer = connection.getresponse()
            data = answer.read(LARGEST_ANSWER)
            if not answer.isclosed() and answer.length:
                raise http.client.IncompleteRead(data, answer.length)
        except (TimeoutError, OSError, http.client.HTTPException) as error:
            self._drop()
            what = str(error) or type(error).__name__
            raise _TransientError(f"connection: {' '.join(what.split())}") from error
        self._local.used = time.monotonic()
        if answer.status in _PASSING or answer.status >= 500:
            raise _TransientError(
                f"status {answer.status}", _seconds(answer.headers.get("Retry-After", ""))
            )
        if answer.status != 200:
            raise _RefusedError(answer.status, self._without_key(data))
        return _content(data)

    def _without_key(self, data: bytes) -> str:
        told = " ".join(data.decode("utf-8", "replace").split())
        return (told.replace(self._key, "***") if self._key else told)[:200]

    def _connection(self) -> http.client.HTTPConnection:
        """This thread's own, kept open between questions."""
        if time.monotonic() - getattr(self._local, "used", 0.0) > LONGEST_IDLE:
            self._drop()
        made: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if made is None:
            host, port = str(self._parts.hostname), self._parts.port
            if self._parts.scheme == "https":
                made = http.client.HTTPSConnection(
                    host, port, timeout=self.section.timeout, context=ssl.create_default_context()
                )
            else:
                made = http.client.HTTPConnection(host, port, timeout=self.section.timeout)
            self._local.connection = made
        return made

    def _drop(self) -> None:
        made = getattr(self._local, "connection", None)
        if made is not None:
            made.close()
        self._local.connection = None


def _seconds(value: str) -> float | None:
    return float(value) if value.replace(".", "", 1).isdecimal() else None


def _content(data: bytes) -> tuple[str, tuple[int, int]]:
    """Text and tokens of a completion; anything else is a broken answer that may pass."""
    try:
        value = json.loads(data)
        content = value["choices"][0]["message"]["content"]
        used = value.get("usage") or {}
        tokens = int(used.get("prompt_tokens") or 0), int(used.get("completion_tokens") or 0)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise _TransientError("no chat completion in the answer") from error
    text = content if isinstance(content, str) else ""
    return text.encode("utf-8", "replace").decode("utf-8"), tokens
