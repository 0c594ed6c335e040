"""The door of the server: what every request passes before anything of it is read.

Plain ASGI, so that it lasts as long as the whole request does, streams included.
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

from emollama.serving.refusal import Refusal, body_of
from emollama.serving.settings import Settings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

_LOOPBACK_NAMES = {"localhost", "127.0.0.1", "::1"}
_OVERHEAD = 1 << 16  # bytes of a request around the clip in it
_JSON_OVERHEAD = 1 << 20

log = logging.getLogger("emollama.serving")


class Door:
    """Names each request, and turns away what must not come in.

    - a wrong or missing key (401), compared in constant time;
    - on a loopback address, a host name that is not this machine's (421): a web page that points
      its own name here would otherwise be let in by the browser;
    - another site's web page (403): there is no CORS, and forms are sent without asking;
    - a body that is too large (413), by its header or once it has sent too much;
    - more requests than are served at a time (429), and those that take too long (504).
    """

    def __init__(self, app: App, settings: Settings) -> None:
        self.app, self.settings = app, settings
        self.inside = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        request_id = f"req-{uuid4().hex[:20]}"
        scope.setdefault("state", {}).update(request_id=request_id, door=self)
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
            async with asyncio.timeout(self.settings.deadline):
                await self.app(scope, self._limited(receive, scope), named)
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
            what = "an error inside the server; its log holds more under this request's id"
            await _refuse(named, Refusal(500, what), request_id)
        finally:
            self.inside -= counted

    def _check(self, scope: MutableMapping[str, Any], counted: bool) -> None:
        headers = {k.lower(): v.decode("latin-1") for k, v in scope["headers"]}
        host = headers.get(b"host", "")
        if self.settings.loopback and _name(host) not in _LOOPBACK_NAMES:
            raise Refusal(421, "this server answers to localhost and 127.0.0.1 only")
        origin = headers.get(b"origin")
        if origin is not None and urlsplit(origin).netloc != host:
            raise Refusal(403, "requests from web pages of other sites are not answered")
        key = self.settings.api_key
        if key is not None and scope["path"] != "/healthz":
            scheme, _, given = headers.get(b"authorization", "").partition(" ")
            same = hmac.compare_digest(given.strip().encode(), key.encode())
            if scheme.lower() != "bearer" or not same:
                raise Refusal(401, "give the server's API key: 'Authorization: Bearer KEY'")
        length = headers.get(b"content-length", "0")
        if length.isdigit() and int(length) > self._most(scope):
            raise self._too_large()
        if counted and self.inside > self.settings.queue:
            raise Refusal(429, f"{self.settings.queue} requests are in hand; try again soon")

    def _most(self, scope: MutableMapping[str, Any]) -> int:
        """Bytes of a body: of a form the clip as it is, of JSON as base64."""
        if scope["path"] in ("/v1/files", "/v1/emotion"):
            return self.settings.max_bytes + _OVERHEAD
        return self.settings.max_bytes * 4 // 3 + _JSON_OVERHEAD

    def _too_large(self) -> Refusal:
        return Refusal(413, f"a clip may have {self.settings.max_bytes / (1 << 20):g} MiB at most")

    def _limited(self, receive: Receive, scope: MutableMapping[str, Any]) -> Receive:
        total, most = 0, self._most(scope)

        async def counted() -> Message:
            nonlocal total
            message = await receive()
            total += len(message.get("body", b""))
            if total > most:
                # The kind of error that those who parse the body let pass.
                raise HTTPException(413, self._too_large().message)
            return message

        return counted


def _name(host: str) -> str:
    """The name in a Host header, without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


async def _refuse(send: Send, refusal: Refusal, request_id: str) -> None:
    data = json.dumps(body_of(refusal.status, refusal.message, request_id, refusal.param)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(data))]
    if refusal.status == 429:
        headers.append((b"retry-after", b"1"))
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send(
        {"type": "http.response.start", "status": refusal.status, "headers": headers}
    )  # fmt: skip
    await send({"type": "http.response.body", "body": data})
