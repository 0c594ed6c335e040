"""How the server is: /metrics in Prometheus' text format, /healthz and /readyz."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from pydantic import BaseModel

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 120, 240)


class Ready(BaseModel):
    """Whether a request that comes now would be taken, and what is before it."""

    status: Literal["ready"] = "ready"
    model: str
    in_hand: int
    reading: int
    writing: int
    wait_seconds: float


class Health(BaseModel):
    """Result of the health check."""

    status: Literal["ok"] = "ok"
    model: str
    in_hand: int


class Metrics:
    """Counters of one server, in a registry of its own.

    Names of routes are those of the description ("/v1/files/{file_id}"), never what a client wrote.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._requests = Counter(
            "emollama_requests", "Requests answered", ("route", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "emollama_request_seconds", "How long a request took, its answer included", ("route",),
            buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip

    def watch(self, name: str, about: str, value: Callable[[], float]) -> None:
        """Add a quantity that is asked for when it is read."""
        Gauge(f"emollama_{name}", about, registry=self.registry).set_function(value)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """All of it."""
        return generate_latest(self.registry)
