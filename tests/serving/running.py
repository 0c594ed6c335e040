"""A real server on a loopback port, in a thread of the test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import uvicorn
from fastapi import FastAPI

from emollama.serving.app import create_app
from emollama.serving.jobs import Jobs
from emollama.serving.server import configured, listening
from emollama.serving.settings import Settings
from emollama.session import Session


class Running:
    """A server that answers; `folder` is where its uploads lie."""

    def __init__(
        self, app: FastAPI, address: str, folder: Path, server: uvicorn.Server, settings: Settings
    ) -> None:
        self.app, self.address, self.folder, self.server = app, address, folder, server
        self.settings = settings
        self.client = httpx.Client(base_url=address, timeout=300)

    def upload(self, path: Path) -> str:
        """The id of an uploaded clip."""
        answer = self.client.post("/v1/files", files={"file": (path.name, path.read_bytes())})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])


@contextmanager
def running(
    session: Session, folder: Path, settings: Settings, jobs: Jobs | None = None
) -> Iterator[Running]:
    folder.mkdir(exist_ok=True)
    app = create_app(session, settings, folder, jobs)
    server = uvicorn.Server(configured(app, settings))
    with listening(settings) as sock:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            thread.join(0.05)
        found = Running(app, f"http://127.0.0.1:{sock.getsockname()[1]}", folder, server, settings)
        try:
            yield found
        finally:
            found.client.close()
            server.should_exit = True
            thread.join(90)
            assert not thread.is_alive()
