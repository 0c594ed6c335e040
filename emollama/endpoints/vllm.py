"""The address of a vLLM server, which may be on this machine only."""

from __future__ import annotations

import socket
from typing import Annotated
from urllib.parse import urlsplit

import typer

from emollama.base.errors import EmollamaError
from emollama.base.loopback import is_loopback, without_password

EngineUrl = Annotated[
    str | None,
    typer.Option(
        "--engine", metavar="URL", help="vLLM server on this machine that writes the text.",
        show_default="none",
    ),
]  # fmt: skip


_PATIENCE = 2.0  # seconds


def need_loopback(url: str) -> str:
    """The address of an engine on this machine, ending in /v1.

    Raises:
        EmollamaError: it is not a URL, holds a password, or is of another machine.
    """
    shown = without_password(url)
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        whole = False
    if not whole:
        raise EmollamaError(
            f"engine '{shown}': is not a URL; write for example http://127.0.0.1:8000"
        )
    if "@" in parts.netloc:
        raise EmollamaError(
            f"engine '{shown}': may hold a scheme, a host, a port and a path only; no name and "
            "password are sent to an engine"
        )
    if not is_loopback(str(parts.hostname)):
        raise EmollamaError(
            f"engine '{shown}': is on another machine; prompts hold what was seen and heard, and "
            "go to an engine on this one only"
        )
    return url.rstrip("/").removesuffix("/v1") + "/v1"


def need_engine(url: str) -> str:
    """The address of an engine that listens, as `need_loopback` gives it.

    Raises:
        EmollamaError: see `need_loopback`, or nothing listens there.
    """
    address = need_loopback(url)
    parts = urlsplit(address)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((str(parts.hostname), port), _PATIENCE):
            return address
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise EmollamaError(
            f"engine {address}: does not answer ({why}); is vLLM running?"
        ) from error
