"""The gatekeeper: middleware that checks every request before its body is read.

Plain ASGI, so that it covers the whole request, streams included.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from starlette.exceptions import HTTPException

from emollama.serving.origin import OTHER_SITE, of_another_site
from emollama.serving.refusal import Refusal, body_of
from emollama.serving.settings import Settings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

_LOOPBACK_NAMES = {"localhost", "127.0.0.1", "::1"}
_OVERHEAD = 1 << 16  # bytes of a request around the clip in it
_JSON_OVERHEAD = 1 << 20
_SLOWEST = 1 << 16  # bytes a second of a body

log = logging.getLogger("emollama.serving")


class Gatekeeper:
    """Gives each request an id, and rejects inadmissible requests.

    - a wrong or missing key (401), compared in constant time;
    - on a loopback address, a host name that is not this machine's (421): a web page that points
      its own name here would otherwise be let in by the browser;
    - another site's web page (403): there is no CORS, and forms are sent without asking;
    - a body that is too large (413), by its header or once too much has arrived; - too many open
      requests, or too many bytes in all of them (429); - a body that arrives too slowly (408), and
      a request that takes too long (504).
    """

    def __init__(self, app: App, settings: Settings) -> None:
        self.app, self.settings = app, settings
        self.inside = 0
        self.bytes = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        request_id = f"req-{uuid4().hex[:20]}"
        ends = asyncio.get_running_loop().time() + self.settings.deadline
        scope.setdefault("state", {}).update(request_id=request_id, gatekeeper=self, ends=ends)
        body = _Body(self, receive, self._most(scope))
        started = False

        async def named(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [
                    *message.get("headers", []),
                    (b"x-request-id", request_id.encode()),
                    (b"x-content-type-options", b"nosniff"),
                    (b"cache-control", b"no-store"),
                ]
            await send(message)

        # Only what takes work counts: whether the server is well can always be asked.
        counted = scope["method"] == "POST"
        self.inside += counted
        try:
            self._check(scope, counted)
            async with asyncio.timeout_at(ends):
                await self.app(scope, body.receive, named)
        except Refusal as refusal:
            if not started:
                await _refuse(named, refusal, request_id)
        except TimeoutError:
            log.warning("%s: deadline of %g s passed", request_id, self.settings.deadline)
            if started:
                raise
            late = f"not done after {self.settings.deadline:g} s"
            await _refuse(named, Refusal(504, late), request_id)
        except Exception:
            log.exception("%s: unforeseen", request_id)
            if started:
                raise
            what = "an internal error; the server's log has the details under this request's id"
            await _refuse(named, Refusal(500, what), request_id)
        finally:
            self.inside -= counted
            self.bytes -= body.total

    def _check(self, scope: MutableMapping[str, Any], counted: bool) -> None:
        headers = {k.lower(): v.decode("latin-1") for k, v in scope["headers"]}
        host = headers.get(b"host", "")
        names = {*_LOOPBACK_NAMES, self.settings.host.lower()}
        if self.settings.loopback and _name(host) not in names:
            raise Refusal(421, "this server answers to localhost and 127.0.0.1 only")
        if of_another_site(headers.get(b"origin"), host):
            raise Refusal(403, OTHER_SITE)
        key = self.settings.api_key
        if key is not None and scope["path"] != "/healthz":
            scheme, _, given = headers.get(b"authorization", "").partition(" ")
            # The bytes as they were sent: a key may be any UTF-8.
            same = hmac.compare_digest(given.strip().encode("latin-1"), key.encode())
            if scheme.lower() != "bearer" or not same:
                raise Refusal(401, "give the server's API key: 'Authorization: Bearer KEY'")
        length = headers.get(b"content-length", "0")
        most, message = self._most(scope)
        if length.isdigit() and int(length) > most:
            raise Refusal(413, message)
        if counted and self.inside > self.settings.queue:
            raise Refusal(
                429, f"{self.settings.queue} requests are open; try again soon", retry_after=1
            )

    def _most(self, scope: MutableMapping[str, Any]) -> tuple[int, str]:
        """Largest body in bytes: a form with the clip, or JSON with base64; both with text."""
        most = self.settings.max_bytes
        if scope["path"] in ("/v1/files", "/v1/emotion"):
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


async def _refuse(send: Send, refusal: Refusal, request_id: str) -> None:
    data = json.dumps(body_of(refusal.status, refusal.message, request_id, refusal.param)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(data))]
    headers += [(k.encode(), v.encode()) for k, v in refusal.headers.items()]
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send(
        {"type": "http.response.start", "status": refusal.status, "headers": headers}
    )  # fmt: skip
    await send({"type": "http.response.body", "body": data})
