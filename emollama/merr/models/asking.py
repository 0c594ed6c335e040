"""The endpoint that a section of the settings describes."""

from __future__ import annotations

from emollama.endpoints.client import Endpoint
from emollama.merr.settings import ModelSection


def endpoint_of(section: ModelSection, where: str) -> Endpoint:
    """The endpoint that a section of the settings describes.

    Raises:
        EmollamaError: naming the invalid key.
    """
    return Endpoint(
        where, section.url, section.model, section.key_env,
        temperature=section.temperature, max_tokens=section.max_tokens, body=section.body,
        concurrency=section.concurrency, timeout=section.timeout, retries=section.retries,
        pause=section.pause,
    )  # fmt: skip
