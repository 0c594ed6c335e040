"""Checks every request to the page before Gradio sees it.

Plain ASGI, so that uploads are refused before they are read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from emollama.serving.origin import OTHER_SITE, of_another_site

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]

_MOST, _PATIENCE = 4 << 20, 2.0  # bytes and seconds of a body that nobody wants
NO_FETCHING = "this page does not fetch URLs: upload the file"


class Gate:
    """Refuses inadmissible requests with status 403.

    - requests from another site's web page: the visitor's browser would send them with the
      visitor's login, and Gradio stores uploads;
    - requests that name a file by URL, which Gradio would fetch.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            body = _Body(receive, send)
            receive, send = body.receive, body.send
            headers = {k.lower(): v.decode("latin-1") for k, v in scope["headers"]}
            if of_another_site(headers.get(b"origin"), headers.get(b"host", "")):
                await _refuse(send, OTHER_SITE)
                return
            _, _, file = scope["path"].partition("/file=")
            if is_address(file):
                await _refuse(send, NO_FETCHING)
                return
        await self.app(scope, receive, send)


def is_address(path: str) -> bool:
    """Whether this is a URL instead of a file path."""
    return path.strip().lower().startswith(("http:", "https:", "//"))


def names_address(data: Any) -> bool:
    """Whether any file in these values, at any depth, is given as a URL."""
    if isinstance(data, dict):
        path = data.get("path")
        return (isinstance(path, str) and is_address(path)) or any(
            map(names_address, data.values())
        )
    return isinstance(data, list | tuple) and any(map(names_address, data))


class _Body:
    """Read and discard the rest of a request's body after the response.

    Closing a connection on a client that still sends resets it, and the response with the reason
    would be lost.
    """

    def __init__(self, receive: Any, send: Any) -> None:
        self._receive, self._send = receive, send
        self._more = True

    async def receive(self) -> Any:
        message = await self._receive()
        self._more = message["type"] == "http.request" and message.get("more_body", False)
        return message

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            with suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE):
                    await self._rest()
        await self._send(message)

    async def _rest(self) -> None:
        read = 0
        while self._more and read < _MOST:
            read += len((await self.receive()).get("body", b""))


async def _refuse(send: Any, why: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": why.encode()})
