"""A table of a report, and how its numbers are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Table:
    """Cells as text; the first column is left-aligned, the others right-aligned."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def number(value: float | None, digits: int = 3) -> str:
    """A number in a cell; an en dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def score_text(score: dict[str, Any] | None) -> str:
    """'0.712 [0.653, 0.766]'."""
    if score is None or score["value"] is None:
        return "–"
    return f"{score['value']:.3f} [{score['ci_low']:.3f}, {score['ci_high']:.3f}]"


def difference_text(difference: dict[str, Any] | None) -> str:
    """'+0.061 [+0.012, +0.110], p 0.012'."""
    if difference is None or difference["value"] is None:
        return "–"
    low, high = difference["ci_low"], difference["ci_high"]
    return f"{difference['value']:+.3f} [{low:+.3f}, {high:+.3f}], p {difference['p']:.3f}"
