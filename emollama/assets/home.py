"""Where converted assets live."""

from __future__ import annotations

import os
from pathlib import Path


def asset_home() -> Path:
    """Where converted assets live: $EMOLLAMA_HOME, else ~/.cache/emollama."""
    home = os.environ.get("EMOLLAMA_HOME", "").strip()
    return Path(home).expanduser() if home else Path.home() / ".cache" / "emollama"
