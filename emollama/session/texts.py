"""A table of what is said in clips, for `emollama predict --texts`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from emollama.base.errors import EmollamaError
from emollama.corpora.tables.columns import MEDIA_FIELDS, find_columns
from emollama.corpora.tables.reading import Table, read_table
from emollama.session.asked import AskedClip


def with_texts(clips: Sequence[AskedClip], path: Path) -> tuple[list[AskedClip], list[str]]:
    """The clips with the texts of a table; clips that it does not name stay as they are.

    Its columns are found as `emollama prepare csv` finds them, "file" and "text" by name. A cell
    names a clip by its path (from the table or from here), its id, or its file's name with or
    without the suffix.

    Args:
        clips: that are asked about.
        path: of the table.

    Returns:
        The clips, and lines about rows without a clip and clips without a row.

    Raises:
        EmollamaError: naming the line: a cell that names several clips, a clip with two texts; or
            a table without such columns, or that names none of the clips.
    """
    table = read_table(path)
    texts: dict[int, tuple[str, str]] = {}
    strange: list[str] = []
    for where, cell, text in _rows(table):
        found = _named(clips, cell, table.root)
        if len(found) > 1:
            first, second = (clips[i].name for i in found[:2])
            raise EmollamaError(
                f"{where}: '{cell}' names {len(found)} of the clips, e.g. {first} and {second}; "
                "write more of the path"
            )
        if not found:
            strange.append(cell)
        elif text:
            before, told = texts.setdefault(found[0], (where, text))
            if told != text:
                raise EmollamaError(f"{where}: '{cell}' has another text at {before}")
    if not texts:
        raise EmollamaError(f"{path}: gives none of the {len(clips)} clips a text, e.g. "
                            f"'{clips[0].name}'")  # fmt: skip
    notes = []
    if strange:
        notes.append(f"{len(strange)} rows of {path} name none of the clips, e.g. '{strange[0]}'")
    if lost := [c.name for i, c in enumerate(clips) if i not in texts]:
        notes.append(f"{len(lost)} of {len(clips)} clips have no text in {path}, e.g. {lost[0]}")
    given = {i: text for i, (_, text) in texts.items()}
    return [replace(c, text=given.get(i, c.text)) for i, c in enumerate(clips)], notes


def _rows(table: Table) -> Iterator[tuple[str, str, str]]:
    """(file:line, clip, text) of each row that names a clip."""
    columns, rows = find_columns(table, {}, lambda word: None)
    field = next((f for f in (*MEDIA_FIELDS, "id") if f in columns.of), None)
    if field is None or "text" not in columns.of:
        raise EmollamaError(
            f"{table.path}: must have the columns 'file' and 'text', the words of each clip"
        )
    (clip,), (text,) = columns.of[field], columns.of["text"]
    for where, cells in rows:
        if cells[clip]:
            yield where, cells[clip], cells[text]


def _named(clips: Sequence[AskedClip], cell: str, root: Path) -> list[int]:
    """The clips that a cell names, by the first of its readings that names any."""
    paths = {str((folder / cell).resolve()) for folder in (root, Path())}
    for same in (
        lambda c: c.name == cell,
        lambda c: c.video is not None and str(c.video.resolve()) in paths,
        lambda c: c.video is not None and c.video.name == cell,
        lambda c: c.video is not None and c.video.stem == cell,
    ):
        if found := [i for i, clip in enumerate(clips) if same(clip)]:
            return found
    return []
