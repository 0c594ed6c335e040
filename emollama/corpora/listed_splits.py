"""Splits from lists of ids: any text, CSV, TSV or JSON Lines file with a clip a line.

Published lists name clips in many ways: `00025.mp4 anger` (MAFW), `video_name,label` with `1` for
`00001` (DFEW), `{"key": "emodb-03a01Wa", ...}` (EmoBox), a path. What a line names is looked up
among the manifest's ids and the names of its media files.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.base.files import parse_row, read_lines
from emollama.manifest.sample import Sample

ORDER = ("test", "val", "train")
"""A clip in several lists goes to the first of these: no test clip is trained on."""


@dataclass(frozen=True)
class Listed:
    """The line of a list that names a clip."""

    where: str
    name: str


def place(
    ids: Iterable[str], lists: Mapping[str, Sequence[str]]
) -> tuple[dict[str, str | None], list[str]]:
    """{id: split} of a manifest's samples from {split: listed ids}, and remarks for the report.

    An id in several lists goes to test, else to val. A sample in no list is in no split.
    """
    split: dict[str, str | None] = dict.fromkeys(ids)
    several: list[str] = []
    foreign: list[str] = []
    for part in ORDER:
        for sample in lists.get(part, ()):
            if sample not in split:
                foreign.append(sample)
            elif split[sample] is not None:
                several.append(sample)
            else:
                split[sample] = part
    outside = [sample for sample, part in split.items() if part is None]
    return split, [
        f"{len(found)} {what}, e.g. '{found[0]}'"
        for found, what in (
            (several, "ids are in several lists; they go to test, else to val"),
            (foreign, "listed ids are not in the manifest"),
            (outside, "samples are in no list and get no split"),
        )
        if found
    ]


def split_by_lists(
    samples: Sequence[Sample], files: Mapping[str, Path], column: str | None = None
) -> tuple[dict[str, str | None], list[str]]:
    """{id: split} from a list a split, and remarks.

    Args:
        samples: of the manifest.
        files: {"train", "val" or "test": its list}, at least one.
        column: of the names in a CSV or TSV with a header, or the key in JSON Lines; by default the
            first.

    Raises:
        EmollamaError: a list that cannot be read, has no such column, names two samples by one
            word, or names none at all.
    """
    known = _Names(samples)
    lists: dict[str, list[str]] = {}
    for part, path in files.items():
        rows = _read(path, column)
        if column is None and len(rows) > 1 and not known.has(rows[0]) and known.has(rows[1]):
            rows = rows[1:]  # a header
        if not any(known.has(row) for row in rows):
            first = f", e.g. '{rows[0].name}'" if rows else ": it is empty"
            raise EmollamaError(
                f"{path}: none of its {len(rows)} lines names a sample of the manifest{first}; ids "
                f"there are like '{samples[0].id}'; --column NAME chooses another column"
            )
        lists[part] = [known.id_of(row) or row.name for row in rows]
    return place((s.id for s in samples), lists)


class _Names:
    """What samples may be called: their ids, the names of their files, numbers without zeros."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._ids = {s.id for s in samples}
        self._by_stem: defaultdict[str, set[str]] = defaultdict(set)
        for sample in samples:
            # Spans of one file share its name, so only a whole file is one sample.
            media = [p for p in (sample.video, sample.audio) if p and sample.start is None]
            for name in (sample.id, *media):
                self._by_stem[_stem(name)].add(sample.id)

    def has(self, listed: Listed) -> bool:
        """Whether the manifest has what is listed."""
        return listed.name in self._ids or _stem(listed.name) in self._by_stem

    def id_of(self, listed: Listed) -> str | None:
        """The id of what is listed; None where the manifest does not have it."""
        if listed.name in self._ids:
            return listed.name
        fitting = sorted(self._by_stem.get(_stem(listed.name), ()))
        if len(fitting) > 1:
            raise EmollamaError(
                f"{listed.where}: '{listed.name}' names several samples, e.g. '{fitting[0]}' and "
                f"'{fitting[1]}'; list ids"
            )
        return fitting[0] if fitting else None


def _stem(name: str) -> str:
    """The last part of a path without its suffix; of a number, without leading zeros."""
    path = PurePosixPath(name.replace("\\", "/"))
    # "a.b" may be an id: a suffix is short and not a number.
    suffix = path.suffix[1:]
    stem = (
        path.stem if suffix.isalnum() and len(suffix) <= 4 and not suffix.isdecimal() else path.name
    )
    return str(int(stem)) if stem.isdecimal() else stem


def _read(path: Path, column: str | None) -> list[Listed]:
    """The names in a list, in its order, each with its line."""
    lines = list(read_lines(path))
    if lines and lines[0][1].lstrip().startswith("{"):
        return [_keyed(path, number, line, column) for number, line in lines]
    separator = next((c for c in "\t,;" if lines and c in lines[0][1]), None)
    rows = [(f"{path}:{number}", _cells(line, separator)) for number, line in lines]
    if column is None:
        return [Listed(where, cells[0]) for where, cells in rows]
    if not rows or column not in rows[0][1]:
        header = rows[0][1] if rows else []
        raise EmollamaError(f"{path}:1: has no column '{column}'{did_you_mean(column, header)}")
    at = rows[0][1].index(column)
    for where, cells in rows:
        if len(cells) <= at:
            raise EmollamaError(f"{where}: has no cell in column '{column}'")
    return [Listed(where, cells[at]) for where, cells in rows[1:]]


def _keyed(path: Path, number: int, line: str, column: str | None) -> Listed:
    row = parse_row(path, number, line)
    key = column if column is not None else next(iter(row), "")
    value = row.get(key)
    if not isinstance(value, (str, int)):
        raise EmollamaError(
            f"{path}:{number}: '{key}' names no sample{did_you_mean(key, row)}; --column KEY "
            "chooses the key"
        )
    return Listed(f"{path}:{number}", str(value))


def _cells(line: str, separator: str | None) -> list[str]:
    if separator is None:
        return line.split()
    return [cell.strip() for cell in next(csv.reader([line], delimiter=separator))]
