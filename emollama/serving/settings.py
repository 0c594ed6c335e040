"""The limits of a server. Every limit is checked before the work that it bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from emollama.base.errors import EmollamaError
from emollama.base.loopback import is_loopback
from emollama.serving.keys import SHORTEST_KEY, Key
from emollama.serving.origin import require_origin


@dataclass(frozen=True)
class Settings:
    """Limits of a server.

    Attributes:
        host: interface to listen on.
        port: 0 for any free one.
        api_key: required from every request but a few (`OPEN_PATHS`); None for none.
        keys: further keys, with rates.
        origins: sites whose web pages may ask, such as "https://example.org".
        max_bytes: of an upload.
        max_data_bytes: of a clip in a data URL, which takes several times its size in memory.
        max_in_hand: bytes of all open requests; beyond it the answer is 429.
        max_kept: bytes of all stored uploads; the oldest are removed.
        max_seconds: of a clip.
        max_side: pixels of a picture's longer side.
        max_rate: frames a second.
        max_uploads: number of stored uploads; the oldest are removed.
        keep_seconds: after which an upload is removed.
        queue: open requests; beyond it the answer is 429.
        deadline: seconds for a request.
        stall_seconds: seconds that a request's body may lag behind 64 KiB/s before it is cut off.
        batch: largest batch of label questions.
        watchers: processes that decode and encode clips.
        watch_seconds: time limit for one clip.
        watch_memory: memory in bytes for one clip.
        people: whether stored people may be named.
        live: live sessions at a time; 0 for none.
        live_idle: seconds without a message after which a live session is closed.
        prefix_memory: bytes of cached keys and values of clips in use.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    api_key: str | None = field(default=None, repr=False)
    keys: tuple[Key, ...] = ()
    origins: tuple[str, ...] = ()
    max_bytes: int = 100 << 20
    max_data_bytes: int = 16 << 20
    max_in_hand: int = 512 << 20
    max_kept: int = 4 << 30
    max_seconds: float = 120.0
    max_side: int = 4096
    max_rate: float = 125.0
    max_uploads: int = 200
    keep_seconds: float = 3600.0
    queue: int = 64
    deadline: float = 120.0
    stall_seconds: float = 10.0
    batch: int = 16
    watchers: int = 2
    watch_seconds: float = 60.0
    watch_memory: int = 2 << 30
    people: bool = False
    live: int = 4
    live_idle: float = 30.0
    prefix_memory: int = 256 << 20

    def __post_init__(self) -> None:
        if self.api_key is not None and len(self.api_key) < SHORTEST_KEY:
            raise EmollamaError(f"an API key needs at least {SHORTEST_KEY} characters")
        for origin in self.origins:
            require_origin(origin)
        if not 0 <= self.port <= 65535:
            raise EmollamaError(f"--port must be 0 to 65535, not {self.port}")
        for name in ("max_bytes", "max_data_bytes", "max_in_hand", "max_kept", "max_seconds",
                     "max_side", "max_rate", "max_uploads", "queue", "keep_seconds", "deadline",
                     "stall_seconds", "batch", "watchers", "watch_seconds",
                     "live_idle"):  # fmt: skip
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                option = name.replace("_", "-")
                raise EmollamaError(f"--{option} must be a number above 0, not {value}")

    @property
    def all_keys(self) -> tuple[Key, ...]:
        """All keys; without any, everybody may ask."""
        return (*self.keys, *([] if self.api_key is None else [Key("default", self.api_key)]))

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)
