"""A file of rows: separated cells, a plain list, JSON (Lines) or the first sheet of a workbook."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emollama.base.csv_rows import records, separator_of
from emollama.base.encodings import read_encoded
from emollama.base.errors import EmollamaError
from emollama.base.workbook import read_sheet


@dataclass
class Table:
    """Rows of cells as read.

    Attributes:
        path: the file, or the folder of several.
        rows: (where, cells) of each row that is not blank, stripped; `where` is "file:line".
        names: of the columns; None where the first row may be them or the first clip.
        notes: for the report.
        root: folder that relative paths start from.
    """

    path: Path
    rows: list[tuple[str, list[str]]]
    names: list[str] | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def root(self) -> Path:
        """The folder of the file, or the folder itself."""
        return self.path if self.path.is_dir() else self.path.parent


def read_table(path: Path, encoding: str | None = None) -> Table:
    """The rows of a file.

    Cells are separated by the most frequent of comma, semicolon, tab and bar in the first line, by
    what a first line `sep=;` names, or else by blanks. A file that begins with a brace or a bracket
    is JSON Lines or a JSON list of objects, whose keys are the columns; one that is a zip archive
    is a workbook (.xlsx).

    Args:
        path: the file.
        encoding: of the text; None to find it out.

    Raises:
        EmollamaError: it cannot be read, or is none of these.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise EmollamaError(f"{path}: cannot be read: {error.strerror or error}") from error
    if head == b"PK\x03\x04":
        rows = [(f"{path}: row {i}", c) for i, c in enumerate(read_sheet(path), start=1)]
        return Table(path, [(where, [c.strip() for c in r]) for where, r in rows if any(r)])
    text, guessed = read_encoded(path, encoding)
    found = _json(path, text) if text.lstrip()[:1] in ("{", "[") else _separated(path, text)
    if guessed:
        name = "gbk (gb18030)" if guessed == "gb18030" else guessed
        found.notes.append(
            f"the file is not UTF-8 and was read as {name}; if words look wrong, name its "
            "encoding with --encoding"
        )
    return found


def _separated(path: Path, text: str) -> Table:
    lines = text.split("\n")
    first = next((i for i, line in enumerate(lines) if line.strip()), None)
    if first is None:
        return Table(path, [])
    said = lines[first].strip().strip('"')
    separator: str | None
    if said.lower().startswith("sep=") and len(said.lower().removeprefix("sep=")) <= 1:
        # Where the separator is a tab it may have been stripped.
        separator = said[4:] or "\t"
        lines[first] = ""  # the other lines keep their numbers
    else:
        separator = separator_of(lines[first])
        if separator not in lines[first]:
            separator = None if len(lines[first].split()) > 1 else ","
    if separator is None:
        width = len(lines[first].split())
        found = [(i, line.split(None, width - 1)) for i, line in enumerate(lines, 1)]
        rows = [(f"{path}:{i}", [c.strip() for c in cells]) for i, cells in found if cells]
    else:
        found = list(records("\n".join(lines), separator, path))
        rows = [(f"{path}:{i}", [c.strip() for c in cells]) for i, cells in found]
    return Table(path, rows)


def _json(path: Path, text: str) -> Table:
    """Objects as rows; keys that not all objects have are empty cells elsewhere."""
    objects = list(_objects(path, text))
    names = list(dict.fromkeys(key for _, row in objects for key in row))
    if names[:1] == ["manifest"]:
        raise EmollamaError(f"{path}: is a manifest already; it needs no preparing")
    rows = [(where, [_cell(row.get(name)) for name in names]) for where, row in objects]
    return Table(path, rows, names)


def _objects(path: Path, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        whole = None  # JSON Lines, which is no JSON as a whole
    if isinstance(whole, list):
        for i, row in enumerate(whole, start=1):
            if not isinstance(row, dict):
                raise EmollamaError(f"{path}: entry {i} is not a JSON object")
            yield f"{path}: entry {i}", row
        return
    if isinstance(whole, dict) and whole and _by_id(whole):
        for key, row in whole.items():
            yield f"{path}: '{key[:80]}'", {"id": key, **row}
        return
    # Not splitlines(): U+2028 and its like may stand inside a JSON string.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            why = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            raise EmollamaError(f"{path}:{number}: is not JSON: {why}") from error
        if not isinstance(row, dict):
            raise EmollamaError(f"{path}:{number}: is not a JSON object")
        yield f"{path}:{number}", row


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, list):
        return "\n".join(_cell(one) for one in value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value).strip()


def _by_id(whole: dict[str, Any]) -> bool:
    """Whether an object is a table by id, and not the one line of a manifest."""
    return "manifest" not in whole and all(isinstance(row, dict) for row in whole.values())
