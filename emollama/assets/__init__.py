"""Assets: pretrained weights by name, fetched and converted once."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from emollama.assets.home import asset_home

if TYPE_CHECKING:
    from emollama.assets.cache import AssetStatus, fetch, list_assets, read_record, weights_hash

__all__ = ["AssetStatus", "asset_home", "fetch", "list_assets", "read_record", "weights_hash"]


def __getattr__(name: str) -> Any:
    """Import the cache on first use: it needs numpy, which `--help` does without."""
    if name not in __all__:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module("emollama.assets.cache"), name)
