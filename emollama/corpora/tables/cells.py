"""Cells of a table as numbers, seconds and lists, in the spellings that spreadsheets give them."""

from __future__ import annotations

import math
import re

from emollama.base.errors import EmollamaError

_CLOCK = re.compile(r"(?:(?:(\d+):)?([0-5]?\d)|(\d{1,3})):([0-5]\d(?:[.,]\d*)?)")
_LIST = re.compile(r"[;|,，、；\n]")


def number(cell: str, where: str) -> float:
    """A finite number; the decimal sign may be a comma.

    Raises:
        EmollamaError: it is none; the message begins with `where`.
    """
    value = _plain(cell)
    if value is None:
        raise EmollamaError(f"{where}: '{cell}' is not a number")
    return value


def is_number(cell: str) -> bool:
    """Whether `number` reads it."""
    return _plain(cell) is not None


def seconds(cell: str, where: str) -> float:
    """Seconds from the beginning of a file: 83.5, 83,5, 1:23.5 or 0:01:23,500.

    Raises:
        EmollamaError: it is none of these, or below 0; the message begins with `where`.
    """
    clock = _CLOCK.fullmatch(cell)
    if clock is not None:
        hours, minutes, many, rest = clock.groups()
        return int(hours or 0) * 3600 + int(minutes or many) * 60 + float(rest.replace(",", "."))
    value = _plain(cell)
    if value is None or value < 0:
        raise EmollamaError(
            f"{where}: '{cell}' is not a number of seconds, nor a time as 1:23.5 or 0:01:23.500"
        )
    return value


def listed(cell: str) -> list[str]:
    """The words of a cell, separated by ; | , or their Chinese forms; each once."""
    words = (" ".join(part.split()) for part in _LIST.split(cell))
    return list(dict.fromkeys(word for word in words if word))


def turns(cell: str) -> tuple[str, ...]:
    """The turns of a conversation in a cell, oldest first, one a line or separated by |."""
    return tuple(part.strip() for part in re.split(r"[|\n]", cell) if part.strip())


def _plain(cell: str) -> float | None:
    text = cell.replace(",", ".") if cell.count(",") == 1 and "." not in cell else cell
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
