"""Running the application with uvicorn."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from emollama.base.errors import EmollamaError
from emollama.serving.app import create_app
from emollama.serving.jobs import Jobs
from emollama.serving.live.incoming import MOST_BYTES
from emollama.serving.private import private_temporaries
from emollama.serving.settings import Settings
from emollama.session import Session

HEAD_SECONDS = 10.0


def serve(
    session: Session, settings: Settings, ready: Callable[[str], None], jobs: Jobs | None = None
) -> None:
    """Serve until stopped; requests accepted by then are finished.

    Args:
        session: the model.
        settings: limits, host and port.
        ready: called with the server's address before the first request is accepted.
        jobs: analyses of recordings; none are offered when None.

    Raises:
        EmollamaError: the address is not available.
    """
    if threading.current_thread() is threading.main_thread():
        # uvicorn raises the signal anew when all is finished; what is temporary must still go.
        signal.signal(signal.SIGTERM, _leave)
    _run(session, settings, ready, private_temporaries(), jobs)


def _leave(number: int, frame: object) -> NoReturn:
    raise SystemExit(0)


def _run(
    session: Session, settings: Settings, ready: Callable[[str], None], folder: Path,
    jobs: Jobs | None,
) -> None:  # fmt: skip
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    config = configured(create_app(session, settings, folder, jobs), settings)
    with listening(settings) as sock:
        name = f"[{settings.host}]" if ":" in settings.host else settings.host
        server = _Server(config, lambda: ready(f"http://{name}:{sock.getsockname()[1]}"))
        server.run(sockets=[sock])
        if not server.started:
            raise EmollamaError("the server could not be started; see its log")


def configured(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """How uvicorn serves the application."""
    return uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        http=Protocol,
        ws="websockets-sansio",
        ws_max_size=MOST_BYTES,
        ws_per_message_deflate=False,  # a small message may be a large one
        ws_ping_interval=None,  # who sends nothing is idle, and who has to wait cannot answer
        timeout_keep_alive=5,
        timeout_graceful_shutdown=int(settings.deadline) + 1,
        h11_max_incomplete_event_size=1 << 16,
    )


class Protocol(H11Protocol):
    """HTTP with a time limit on receiving the headers of a request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the time limit of a new connection."""
        super().connection_made(transport)
        self._waited = False
        self._look_later()

    def _look_later(self) -> None:
        self.loop.call_later(HEAD_SECONDS / 2, self._look)

    def _look(self) -> None:
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return  # a WebSocket has taken it over
        first = self.cycle is None
        idle = self.cycle is None or self.cycle.response_complete
        waits = idle and (first or bool(self.conn.trailing_data[0]))
        if waits and self._waited:
            self.transport.close()
            return
        self._waited = waits
        self._look_later()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def listening(settings: Settings) -> Any:
    """A socket on the host and port of the settings."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((settings.host, settings.port))
    except OSError as error:
        sock.close()
        raise EmollamaError(
            f"{settings.host}:{settings.port}: cannot listen on this address "
            f"({error.strerror or error})"
        ) from error
    return sock
