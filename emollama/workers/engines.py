"""What runs the processes of an extraction: this project's own pool, or Ray's cluster."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from emollama.base.errors import EmollamaError

if TYPE_CHECKING:
    from emollama.workers.clip_pool import ClipPool
    from emollama.workers.ray_pool import RayPool

Engine = Literal["pool", "ray"]


def need_engine(engine: Engine) -> None:
    """Raise an error if the package of an engine is not installed."""
    if engine == "ray" and find_spec("ray") is None:
        raise EmollamaError("--engine ray: ray is not installed: pip install 'emollama[ray]'")


def get_pool(engine: Engine) -> Callable[..., ClipPool[Any] | RayPool[Any]]:
    """The class of pools of an engine, called as `ClipPool` is."""
    if engine == "pool":
        from emollama.workers.clip_pool import ClipPool

        return ClipPool
    from emollama.workers.ray_pool import RayPool

    return RayPool
