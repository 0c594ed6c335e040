"""Serving the page: what is allowed in, where uploads lie, and what is removed at the end."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.examples import Example, examples
from emollama.errors import EmollamaError
from emollama.serving.guard import Guard
from emollama.serving.settings import Settings
from emollama.serving.uploads import Uploads
from emollama.session import Session

# Read by Gradio when it is imported, which therefore happens below.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"


def serve(
    session: Session, settings: Settings, folder: Path | None, user: str,
    ready: Callable[[str], None],
) -> None:  # fmt: skip
    """Serve the page until Ctrl-C or SIGTERM.

    Args:
        session: the model.
        settings: limits; with an API key visitors log in with it as `user`.
        folder: of the example clips; None for no examples.
        user: see above.
        ready: called with the page's address.

    Raises:
        EmollamaError: the port is taken, or clips cannot be decoded on this machine.
    """
    ended = threading.Event()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: ended.set())
    with running(session, settings, folder, user) as address:
        ready(address)
        ended.wait()


@contextmanager
def running(
    session: Session, settings: Settings, folder: Path | None, user: str = "emollama"
) -> Iterator[str]:
    """The page's address, while it is served; see `serve`."""
    uploads = Uploads(settings)
    guard = Guard(session, settings)
    before = os.environ.get("GRADIO_TEMP_DIR")
    os.environ["GRADIO_TEMP_DIR"] = str(uploads.folder / "page")
    page = None
    try:
        from starlette.middleware import Middleware
        from starlette.middleware.trustedhost import TrustedHostMiddleware

        from demo.callbacks import Callbacks
        from demo.layout import theme
        from demo.page import build
        from demo.style import PAGE

        guard.start()
        found, why_none = _examples(folder)
        saved = uploads.folder / "page" / "saved"
        saved.mkdir(parents=True)
        page = build(Callbacks(session, guard, saved), found, why_none)
        names = ["127.0.0.1", "localhost", settings.host] if settings.loopback else ["*"]
        try:
            _, address, _ = page.launch(
                server_name=settings.host,
                server_port=settings.port or None,
                auth=None if settings.api_key is None else (user, settings.api_key),
                max_file_size=settings.max_bytes,
                allowed_paths=[str(example.path) for example in found],
                # Another site's name that points to this machine must not reach the page.
                app_kwargs={"middleware": [Middleware(TrustedHostMiddleware, allowed_hosts=names)]},
                share=False,
                show_error=False,
                ssr_mode=False,
                run_history=False,
                enable_monitoring=False,
                footer_links=[],
                quiet=True,
                inbrowser=False,
                prevent_thread_lock=True,
                theme=theme(),
                css=PAGE,
            )
        except OSError as error:
            raise EmollamaError(
                f"port {settings.port} of {settings.host} cannot be listened on; it may be taken: "
                "choose another with --port"
            ) from error
        yield address
    finally:
        if page is not None and page.is_running:
            page.close(verbose=False)
        guard.close()
        uploads.close()
        if before is None:
            del os.environ["GRADIO_TEMP_DIR"]
        else:
            os.environ["GRADIO_TEMP_DIR"] = before


def _examples(folder: Path | None) -> tuple[list[Example], str | None]:
    """The example clips, or why there are none."""
    if folder is None:
        return [], "they were not asked for"
    try:
        return examples(folder), None
    except EmollamaError as error:
        return [], str(error)
