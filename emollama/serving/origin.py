"""Detects requests from another site's web page.

A visitor's browser would send them with the visitor's credentials.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from emollama.base.errors import EmollamaError

OTHER_SITE = "requests from other sites' web pages are refused"


def of_another_site(origin: str | None, host: str) -> bool:
    """Compares the headers Origin, which only browsers send, and Host."""
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != host.lower()
    except ValueError:
        return True


def require_origin(origin: str) -> None:
    """Check the name of a site as browsers send it.

    Raises:
        EmollamaError: it is none.
    """
    try:
        parts = urlsplit(origin)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or origin != f"{parts.scheme}://{parts.netloc}":
        raise EmollamaError(
            f"--origin '{origin}' must be a site such as https://example.org, without a path"
        )
