"""Detects requests from another site's web page.

A visitor's browser would send them with the visitor's credentials.
"""

from __future__ import annotations

from urllib.parse import urlsplit

OTHER_SITE = "requests from other sites' web pages are refused"


def of_another_site(origin: str | None, host: str) -> bool:
    """Compares the headers Origin, which only browsers send, and Host."""
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != host.lower()
    except ValueError:
        return True
