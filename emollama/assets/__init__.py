"""Assets: pretrained weights by name, fetched and converted once."""

from emollama.assets.cache import (
    AssetStatus,
    asset_home,
    fetch,
    list_assets,
    read_record,
    weights_hash,
)

__all__ = ["AssetStatus", "asset_home", "fetch", "list_assets", "read_record", "weights_hash"]
