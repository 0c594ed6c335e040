"""How numbers are written in the report."""

from __future__ import annotations


def clock(time: float) -> str:
    """1:02:03 or 2:03."""
    minutes, seconds = divmod(int(time), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def percent(share: float) -> str:
    """A share as "72 %"."""
    return f"{100 * share:.0f} %"
