"""The client for any server with OpenAI's chat completions API: text, pictures and sound.

Transient failures (408, 425, 429, 5xx, timeouts, broken connections and answers) are retried with
growing pauses or after the server's `Retry-After`; any other refusal is final. Messages and answers
are given without the key, which some servers repeat.

It builds on httpx (connections, pooling, TLS, proxies). The `openai` package would add types and
retries of its own, but the ledger must record every attempt, and a request may hold any field.
"""

from __future__ import annotations

import json
import os
import random
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from emollama.base.errors import EmollamaError
from emollama.base.loopback import without_password

if TYPE_CHECKING:
    import httpx

LARGEST_ANSWER = 4 * 1024 * 1024
LONGEST_PAUSE = 60.0
LONGEST_IDLE = 3.0
"""Idle seconds after which a connection is not reused: servers close idle connections."""
_MOST_TOKENS = 1 << 32  # more were never read or written for a question
_PASSING = (408, 425, 429)
_FOR_ALL = (401, 402, 404, 405, 407)  # no key, no money, no such model or path: not this question
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PATH = "/chat/completions"
Message = Mapping[str, Any]


@dataclass(frozen=True)
class Reply:
    """A completion.

    Attributes:
        text: of the first choice.
        tokens_in, tokens_out: as counted by the server; 0 where it does not count them.
        seconds: from the request to the whole answer, without failed attempts and pauses.
    """

    text: str
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = field(default=0.0, compare=False)


class NoReplyError(Exception):
    """No answer was received.

    Attributes:
        refused: the server refused this question for good.
        everyone: it would refuse any other question, too.
    """

    def __init__(self, message: str, refused: bool, everyone: bool = False) -> None:
        super().__init__(message)
        self.refused, self.everyone = refused, everyone


class _TransientError(Exception):
    """A failed attempt; `wait` is the pause that the server asks for, in seconds."""

    def __init__(self, what: str, wait: float = 0.0) -> None:
        super().__init__(what)
        self.wait = wait


class _RefusedError(Exception):
    """The server refuses to answer a question."""

    def __init__(self, how: str, message: str, everyone: bool) -> None:
        super().__init__(message)
        self.how, self.everyone = how, everyone


@dataclass
class Endpoint:
    """A model at a URL; safe to use from any number of threads.

    Attributes:
        where: section of the configuration, for error messages ("refine").
        url: base URL (`http://host:port/v1`) or the full URL of `/chat/completions`.
        model: its name on the server.
        key_env: environment variable that holds the key, if the server needs one.
        temperature, max_tokens: of each request.
        body: fields that extend or replace ours in a request; None removes one.
        concurrency: number of open requests.
        timeout: seconds per attempt.
        retries: attempts after the first.
        pause: seconds before the second attempt, doubled before each further one.
        sleep: waits between attempts.

    Raises:
        EmollamaError: the address or the key cannot be used; the message names the setting.
    """

    where: str
    url: str
    model: str
    key_env: str | None = None
    temperature: float = 0.0
    max_tokens: int = 256
    body: Mapping[str, Any] = field(default_factory=dict)
    concurrency: int = 8
    timeout: float = 120.0
    retries: int = 5
    pause: float = 1.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    def __post_init__(self) -> None:
        self._check_url()
        if not self.model:
            raise EmollamaError(f"{self.where}.model: give the model's name on the server")
        self._key = os.environ.get(self.key_env, "") if self.key_env else ""
        if self.key_env and not self._key:
            raise EmollamaError(
                f"{self.where}.key_env: environment variable '{self.key_env}' is not set"
            )
        if not (self._key.isascii() and self._key.isprintable()):
            raise EmollamaError(
                f"{self.where}.key_env: the key in '{self.key_env}' holds a line break "
                "or a non-ASCII character, which an HTTP header cannot hold"
            )
        self._slots = threading.BoundedSemaphore(self.concurrency)
        self._making = threading.Lock()

    def _check_url(self) -> None:
        try:
            parts = urlsplit(self.url)
            whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:  # a port that is no number, brackets that are no IPv6
            whole = False
        if not whole or not self.url.isascii() or not self.url.isprintable() or " " in self.url:
            raise EmollamaError(
                f"{self.where}.url: '{without_password(self.url)}' is not an http or https URL "
                "such as http://localhost:8000/v1"
            )
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise EmollamaError(
                f"{self.where}.url: may hold a scheme, a host, a port and a path only; "
                f"put a key into an environment variable and name it in {self.where}.key_env"
            )

    @property
    def address(self) -> str:
        """The full URL for requests."""
        base = self.url.rstrip("/")
        return base if base.endswith(_PATH) else base + _PATH

    @property
    def asked(self) -> dict[str, Any]:
        """Everything that answers depend on besides the messages."""
        return {"model": self.model, "temperature": self.temperature,
                "max_tokens": self.max_tokens, "body": dict(self.body)}  # fmt: skip

    def ask(
        self,
        messages: Sequence[Message],
        failed: Callable[[str], None],
        more: Mapping[str, Any] | None = None,
    ) -> Reply:
        """One completion.

        Args:
            messages: of the chat.
            failed: called with the outcome of each failed attempt.
            more: fields of this request alone, beside those of `body`.

        Raises:
            NoReplyError: refused, or no answer after all attempts.
        """
        last = ""
        for attempt in range(self.retries + 1):
            try:
                with self._slots:
                    return self._once(messages, more or {})
            except _TransientError as error:
                last = str(error)
                failed(last)
                if attempt < self.retries:
                    self.sleep(self._pause(attempt, error.wait))
            except _RefusedError as error:
                failed(error.how)
                raise NoReplyError(str(error), True, error.everyone) from error
        raise NoReplyError(f"{last} (the last of {self.retries + 1} attempts)", False)

    def _pause(self, attempt: int, wanted: float) -> float:
        """Exponential backoff with jitter, so that waiting threads do not all retry at once."""
        grown = self.pause * 2**attempt * random.uniform(0.75, 1.25)
        return min(max(grown, wanted), LONGEST_PAUSE)

    def _connected(self) -> httpx.Client:
        """The client shared by all threads, created at the first question."""
        with self._making:
            return self._client

    @cached_property
    def _client(self) -> httpx.Client:
        import httpx

        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        return httpx.Client(
            headers=headers,
            timeout=self.timeout,
            limits=httpx.Limits(
                max_connections=None,
                max_keepalive_connections=self.concurrency,
                keepalive_expiry=LONGEST_IDLE,
            ),
            # A redirect would carry the key to a host that nobody named.
            follow_redirects=False,
            verify=ssl.create_default_context(),
            # This machine is not reached through a proxy.
            trust_env=urlsplit(self.url).hostname not in _LOOPBACK,
        )

    def _once(self, messages: Sequence[Message], more: Mapping[str, Any]) -> Reply:
        import httpx

        started = time.monotonic()
        request = {
            "model": self.model,
            "messages": list(messages),
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            **more,
            **self.body,
        }
        body = json.dumps({k: v for k, v in request.items() if v is not None}).encode()
        try:
            with self._connected().stream("POST", self.address, content=body) as answer:
                data = self._read(answer)
        except httpx.HTTPError as error:
            what = " ".join(str(error).split()) or type(error).__name__
            raise _TransientError(f"connection: {what}") from error
        except (httpx.InvalidURL, ValueError) as error:  # a host that no name can be
            what = " ".join(str(error).split())
            raise _RefusedError("no such host", what, True) from error
        status = answer.status_code
        if status in _PASSING or status >= 500:
            raise _TransientError(f"status {status}", _seconds(answer.headers.get("Retry-After")))
        if status != 200:
            said = " ".join(data.decode("utf-8", "replace").split())
            said = (said.replace(self._key, "***") if self._key else said)[:200]
            everyone = status in _FOR_ALL or 300 <= status < 400
            raise _RefusedError(str(status), f"status {status}: {said}", everyone)
        reply = _completion(data)
        text = reply.text.replace(self._key, "***") if self._key else reply.text
        return replace(reply, text=text, seconds=time.monotonic() - started)

    def _read(self, answer: httpx.Response) -> bytes:
        """The response body; one that is too large or arrives too slowly is a failed attempt."""
        until = time.monotonic() + self.timeout
        data = bytearray()
        for part in answer.iter_bytes():
            data += part
            if len(data) > LARGEST_ANSWER:
                raise _TransientError(f"its answer is larger than {LARGEST_ANSWER >> 20} MiB")
            if time.monotonic() > until:
                raise _TransientError(f"its answer is incomplete after {self.timeout:g} s")
        return bytes(data)


def _seconds(value: str | None) -> float:
    """Seconds from a Retry-After header: a number or a date."""
    if value is None:
        return 0.0
    if value.replace(".", "", 1).isdecimal():
        return float(value)
    try:
        return parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _count(value: Any) -> int:
    """A number of tokens; 0 for what cannot be one."""
    return value if type(value) is int and 0 <= value <= _MOST_TOKENS else 0


def _completion(data: bytes) -> Reply:
    """Text and tokens of a completion; anything else is a broken answer, which is retried."""
    try:
        value = json.loads(data)
        content = value["choices"][0]["message"]["content"]
        used = value.get("usage") or {}
        tokens = _count(used.get("prompt_tokens")), _count(used.get("completion_tokens"))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise _TransientError("its answer is not a chat completion") from error
    # JSON may name half a character, which no file can hold.
    return Reply(_text(content).encode("utf-8", "replace").decode("utf-8"), *tokens)


def _text(content: Any) -> str:
    """The text of a message: whole, or joined from its parts of type "text"; "" without one."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [p.get("text") for p in parts if isinstance(p, dict) and p.get("type") == "text"]
    return "".join(text for text in texts if isinstance(text, str))
