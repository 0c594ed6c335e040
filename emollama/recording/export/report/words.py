"""How numbers are written in the report."""

from __future__ import annotations


def percent(share: float) -> str:
    """A share as "72 %"."""
    return f"{100 * share:.0f} %"
