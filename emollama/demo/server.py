"""Serves the page: access, uploads and cleanup."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emollama.base.errors import EmollamaError
from emollama.demo.examples import Example, examples
from emollama.demo.gate import Gate
from emollama.demo.sweep import swept
from emollama.inputs.stored_people import stored_people
from emollama.serving.decoders import DecoderPool
from emollama.serving.private import private_temporaries
from emollama.serving.server import listening
from emollama.serving.settings import Settings
from emollama.serving.uploads import Uploads
from emollama.session import Session

if TYPE_CHECKING:
    from emollama.demo.callbacks import Callbacks

# Read by Gradio when it is imported, which therefore happens below.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

_LEAVE_SECONDS = 3  # for visitors' open streams, which do not end by themselves


def serve(
    session: Session, settings: Settings, folder: Path | None, user: str,
    ready: Callable[[str], None],
) -> None:  # fmt: skip
    """Serve the page until Ctrl-C or SIGTERM.

    Args:
        session: the model.
        settings: limits; an API key makes visitors log in as `user` with the key as password.
        folder: of the example clips; None for no examples.
        user: see `settings`.
        ready: called with the page's address.

    Raises:
        EmollamaError: the port is taken, or clips cannot be decoded on this machine.
    """
    ended = threading.Event()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: ended.set())
    private_temporaries()
    with running(session, settings, folder, user) as address:
        ready(address)
        ended.wait()


@contextmanager
def running(
    session: Session, settings: Settings, folder: Path | None, user: str = "emollama"
) -> Iterator[str]:
    """The page's address, while it is served; see `serve`."""
    uploads = Uploads(settings)
    decoders = DecoderPool(session, settings)
    folder_of_page = uploads.folder / "page"
    before = os.environ.get("GRADIO_TEMP_DIR")
    os.environ["GRADIO_TEMP_DIR"] = str(folder_of_page)
    try:
        from emollama.demo.callbacks import Callbacks
        from emollama.demo.page import build
        from emollama.demo.recording.callbacks import Recordings
        from emollama.demo.recording.shelf import Shelf

        with listening(settings) as sock:
            decoders.start()
            found, why_none = _examples(folder)
            saved = folder_of_page / "saved"
            saved.mkdir(parents=True)
            people = stored_people() if settings.people else []
            callbacks = Callbacks(session, decoders, saved, found)
            shelf = Shelf(session, settings, uploads.folder / "recordings")
            page = build(callbacks, why_none, people, Recordings(shelf, saved))
            read = [
                str(shelf.jobs.folder),
                *(str(path) for one in found for path in (one.path, one.thumbnail)),
            ]
            app = _application(page, settings, read, user)
            with (
                swept(folder_of_page, settings.keep_seconds),
                shelf.open(),
                _listens(app, sock),
            ):
                _answered_ahead(callbacks, found)
                # An address to be opened; that of all interfaces is none.
                host = "localhost" if settings.host in ("0.0.0.0", "::") else settings.host
                name = f"[{host}]" if ":" in host else host
                yield f"http://{name}:{sock.getsockname()[1]}/"
    finally:
        decoders.close()
        uploads.close()
        if before is None:
            del os.environ["GRADIO_TEMP_DIR"]
        else:
            os.environ["GRADIO_TEMP_DIR"] = before


def _application(page: Any, settings: Settings, paths: list[str], user: str) -> Any:
    """The page as an application, behind the gate, which serves what lies at `paths`."""
    import gradio as gr
    from fastapi import FastAPI
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from emollama.demo import script, seeking
    from emollama.demo.layout import theme
    from emollama.demo.recording import view
    from emollama.demo.style import PAGE

    app = gr.mount_gradio_app(
        FastAPI(docs_url=None, redoc_url=None, openapi_url=None),
        page,
        path="",
        server_name=settings.host,
        server_port=settings.port,
        auth=None if settings.api_key is None else (user, settings.api_key),
        max_file_size=settings.max_bytes,
        allowed_paths=paths,
        show_error=False,
        ssr_mode=False,
        run_history=False,
        enable_monitoring=False,
        footer_links=[],
        theme=theme(),
        css=PAGE + seeking.STYLE + view.STYLE,
        head=script.HEAD + seeking.HEAD,
    )
    app.add_middleware(Gate)
    # Another site's name that points to this machine must not reach the page.
    names = ["127.0.0.1", "localhost", settings.host] if settings.loopback else ["*"]
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=names)
    return app


def _answered_ahead(callbacks: Callbacks, found: list[Example]) -> None:
    """Answer the first example meanwhile, so that it is there for who comes."""

    def answer() -> None:
        # Who opens the page is told what is wrong; at the end the decoders are closed under it.
        with suppress(Exception):
            callbacks.know(found[0])

    if found:
        threading.Thread(target=answer, name="example", daemon=True).start()


@contextmanager
def _listens(app: Any, sock: socket.socket) -> Iterator[None]:
    """Serve the application in a thread during the `with` block."""
    import uvicorn

    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, ws="none",
        timeout_graceful_shutdown=_LEAVE_SECONDS,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([sock],), name="page", daemon=True)
    thread.start()
    while thread.is_alive() and not server.started:
        thread.join(0.01)
    if not server.started:
        raise EmollamaError("the page could not be started; see the log")
    try:
        yield
    finally:
        # What is cut off now are open streams, which uvicorn would tell as errors of ours.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        server.should_exit = True
        thread.join(2 * _LEAVE_SECONDS)


def _examples(folder: Path | None) -> tuple[list[Example], str | None]:
    """The example clips, or why there are none."""
    if folder is None:
        return [], "started without examples"
    try:
        return examples(folder), None
    except EmollamaError as error:
        return [], str(error)
