"""The gatekeeper: middleware that checks every request before its body is read.

Plain ASGI, so that it covers the whole request, streams included.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from starlette.exceptions import HTTPException

from emollama.serving.keys import Key, Keyring
from emollama.serving.metrics import Metrics
from emollama.serving.origin import OTHER_SITE, of_another_site
from emollama.serving.refusal import Refusal, body_of
from emollama.serving.settings import Settings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

OPEN_PATHS = {"/", "/docs", "/healthz", "/readyz"}
"""What needs no key: it shows nothing of clips and does no work."""
_LOOPBACK_NAMES = {"localhost", "127.0.0.1", "::1"}
_OVERHEAD = 1 << 16  # bytes of a request around the clip in it
_JSON_OVERHEAD = 1 << 20
_SLOWEST = 1 << 16  # bytes a second of a body

log = logging.getLogger("emollama.serving")


class Gatekeeper:
    """Gives each request an id, and rejects inadmissible requests.

    - a wrong or missing key (401), compared in constant time, or one whose rate is used up (429);
    - on a loopback address, a host name that is not this machine's (421): a web page that points
      its own name here would otherwise be let in by the browser;
    - another site's web page (403), unless the site is allowed: forms are sent without asking;
    - a body that is too large (413), by its header or once too much has arrived; - too many open
      requests, or too many bytes in all of them (429); - a body that arrives too slowly (408), and
      a request that takes too long (504).
    """

    def __init__(self, app: App, settings: Settings, metrics: Metrics) -> None:
        self.app, self.settings, self.metrics = app, settings, metrics
        self.keyring = Keyring(settings.all_keys)
        self.inside = 0
        self.bytes = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        request_id = f"req-{uuid4().hex[:20]}"
        if scope["type"] == "websocket":
            await self._session(scope, receive, send, request_id)
            return
        began = asyncio.get_running_loop().time()
        ends = began + self.settings.deadline
        scope.setdefault("state", {}).update(request_id=request_id, gatekeeper=self, ends=ends)
        body = _Body(self, receive, self._most(scope))
        started = False
        status = 499  # the client has left

        async def named(message: Message) -> None:
            nonlocal started, status
            if message["type"] == "http.response.start":
                started, status = True, message["status"]
                message["headers"] = [
                    *message.get("headers", []),
                    (b"x-request-id", request_id.encode()),
                    (b"x-content-type-options", b"nosniff"),
                    (b"cache-control", b"no-store"),
                    *self._allowed(scope),
                ]
            await send(message)

        # Only what takes work counts: whether the server is well can always be asked.
        counted = scope["method"] == "POST"
        self.inside += counted
        try:
            self._check(scope, counted)
            if scope["method"] == "OPTIONS" and self._allowed(scope):
                await named({"type": "http.response.start", "status": 204, "headers": []})
                await named({"type": "http.response.body", "body": b""})
                return
            async with asyncio.timeout_at(ends):
                await self.app(scope, body.receive, named)
        except Refusal as refusal:
            if not started:
                await refuse(named, refusal, request_id)
        except TimeoutError:
            log.warning("%s: deadline of %g s passed", request_id, self.settings.deadline)
            if started:
                raise
            late = f"not done after {self.settings.deadline:g} s"
            await refuse(named, Refusal(504, late), request_id)
        except Exception:
            log.exception("%s: unforeseen", request_id)
            if started:
                raise
            what = "an internal error; the server's log has the details under this request's id"
            await refuse(named, Refusal(500, what), request_id)
        finally:
            self.inside -= counted
            self.bytes -= body.total
            route = getattr(scope.get("route"), "path", "none")
            seconds = asyncio.get_running_loop().time() - began
            self.metrics.answered(route, status, seconds)

    async def _session(
        self, scope: MutableMapping[str, Any], receive: Receive, send: Send, request_id: str
    ) -> None:
        """Serve a WebSocket; each of its messages is bounded where it is received."""
        try:
            key = self._check(scope, counted=False)
        except Refusal as refusal:
            await receive()  # that somebody wants to connect
            await refuse(send, refusal, request_id, "websocket.")
            return
        spend = partial(self.keyring.spend, key) if key is not None else lambda: None
        scope.setdefault("state", {}).update(request_id=request_id, gatekeeper=self, spend=spend)
        await self.app(scope, receive, send)

    def _allowed(self, scope: MutableMapping[str, Any]) -> list[tuple[bytes, bytes]]:
        """Headers by which a browser lets a page of an allowed site read the answer."""
        origin = dict(scope["headers"]).get(b"origin", b"")
        if origin.decode("latin-1") not in self.settings.origins:
            return []
        return [
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-methods", b"GET, POST, DELETE"),
            (b"access-control-allow-headers", b"authorization, content-type"),
            (b"access-control-expose-headers", b"x-request-id, retry-after"),
            (b"vary", b"origin"),
        ]

    def _check(self, scope: MutableMapping[str, Any], counted: bool) -> Key | None:
        """The key of a request that may be let in; None where none is needed."""
        key = None
        headers = {k.lower(): v.decode("latin-1") for k, v in scope["headers"]}
        host = headers.get(b"host", "")
        names = {*_LOOPBACK_NAMES, self.settings.host.lower()}
        if self.settings.loopback and _name(host) not in names:
            raise Refusal(421, "this server answers to localhost and 127.0.0.1 only")
        origin = headers.get(b"origin")
        if origin not in self.settings.origins and of_another_site(origin, host):
            raise Refusal(403, OTHER_SITE)
        if scope.get("method") == "OPTIONS" and origin in self.settings.origins:
            return None  # a browser asks what it may do, and sends no key
        if len(self.keyring) and scope["path"] not in OPEN_PATHS:
            key = self.keyring.of(headers.get(b"authorization", ""))
            if counted:
                self.keyring.spend(key)
        length = headers.get(b"content-length", "0")
        most, message = self._most(scope)
        if length.isdigit() and int(length) > most:
            raise Refusal(413, message)
        if counted and self.inside > self.settings.queue:
            raise Refusal(
                429, f"{self.settings.queue} requests are open; try again soon", retry_after=1
            )
        return key

    def _most(self, scope: MutableMapping[str, Any]) -> tuple[int, str]:
        """Largest body in bytes: a form with the clip, or JSON with base64; both with text."""
        most = self.settings.max_bytes
        if scope["path"] == "/v1/batch":
            whole = self.settings.max_in_hand
            return whole, f"a batch may have at most {whole / (1 << 20):g} MiB"
        if scope["path"] in ("/v1/files", "/v1/emotion", "/v1/recordings"):
            return most + _OVERHEAD, f"a clip may have at most {most / (1 << 20):g} MiB"
        most = min(most, self.settings.max_data_bytes)
        return most * 4 // 3 + _JSON_OVERHEAD, (
            f"a clip in a data URL may have at most {most / (1 << 20):g} MiB; upload a larger one "
            "to /v1/files"
        )


class _Body:
    """A request's body while it arrives.

    Attributes:
        total: bytes so far.
    """

    def __init__(self, gatekeeper: Gatekeeper, receive: Receive, most: tuple[int, str]) -> None:
        self._gatekeeper, self._receive = gatekeeper, receive
        self._most, self._message = most
        self._began: float | None = None
        self._whole = False
        self.total = 0

    async def receive(self) -> Message:
        """The next chunk, or the client's disconnect."""
        message = await (self._receive() if self._whole else self._in_time())
        if message["type"] != "http.request":
            return message
        self._whole = not message.get("more_body", False)
        size = len(message.get("body", b""))
        self.total += size
        self._gatekeeper.bytes += size
        # The kind of error that those who parse the body let pass.
        if self.total > self._most:
            raise HTTPException(413, self._message)
        if (
            self.total < self._gatekeeper.bytes
            and self._gatekeeper.bytes > self._gatekeeper.settings.max_in_hand
        ):
            raise HTTPException(
                429, "the open requests hold too many bytes; try again soon", {"Retry-After": "1"}
            )
        return message

    async def _in_time(self) -> Message:
        now = asyncio.get_running_loop().time()
        self._began = now if self._began is None else self._began
        patience = self._gatekeeper.settings.stall_seconds
        try:
            async with asyncio.timeout_at(self._began + patience + self.total / _SLOWEST):
                return await self._receive()
        except TimeoutError:
            raise HTTPException(408, "the request's body arrived too slowly") from None


def _name(host: str) -> str:
    """The name in a Host header, without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


async def refuse(send: Send, refusal: Refusal, request_id: str, kind: str = "") -> None:
    """Send a refusal; `kind` is "websocket." before a WebSocket is accepted."""
    data = json.dumps(body_of(refusal.status, refusal.message, request_id, refusal.param)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(data))]
    headers += [(k.encode(), v.encode()) for k, v in refusal.headers.items()]
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send(
        {"type": f"{kind}http.response.start", "status": refusal.status, "headers": headers}
    )  # fmt: skip
    await send({"type": f"{kind}http.response.body", "body": data})
    if kind:
        await asyncio.sleep(0)  # uvicorn logs an error unless the connection is closed by now
