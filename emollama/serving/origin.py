"""Whether a request comes from another site's web page.

A visitor's browser would send it, with what lets the visitor in.
"""

from __future__ import annotations

from urllib.parse import urlsplit

OTHER_SITE = "requests from web pages of other sites are not answered"


def of_another_site(origin: str | None, host: str) -> bool:
    """By the headers Origin, which browsers alone send, and Host."""
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != host.lower()
    except ValueError:
        return True
