"""Rows of the CSV files that corpora ship: cells by column name, each row with its line number."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.base.files import read_text


@dataclass(frozen=True)
class Row:
    """A record: `where` is "file:line" of its first line, `cells` are stripped cells by column."""

    where: str
    cells: dict[str, str]

    def get(self, column: str) -> str | None:
        """The cell, or None where it is empty or the table has no such column."""
        return self.cells.get(column) or None

    def require(self, column: str) -> str:
        """The cell; an empty one is an `EmollamaError`."""
        cell = self.get(column)
        if cell is None:
            raise EmollamaError(f"{self.where}: column '{column}' is empty")
        return cell

    def number(self, column: str) -> float | None:
        """The cell as a finite number, None where it is empty."""
        cell = self.get(column)
        return None if cell is None else finite(cell, f"{self.where}: column '{column}'")


def finite(text: str, where: str) -> float:
    """`text` as a finite number, or an `EmollamaError` that begins with `where`."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise EmollamaError(f"{where}: '{text}' is not a number")
    return value


def read_rows(
    path: Path,
    columns: Sequence[str],
    optional: Sequence[str] = (),
    odd: Callable[[str, str], None] | None = None,
    unnamed: Sequence[str] = (),
) -> Iterator[Row]:
    """Rows of a CSV with a header line; `columns` are required, in any order, others are allowed.

    Column names are compared without case and surrounding space, since releases of one corpus
    differ in both; cells are found under the spelling in `columns` and `optional`. Columns in
    neither keep the spelling of the file. A row with more or fewer cells than the header is passed
    to `odd` ("file:line", what is wrong) and left out. `unnamed` are the columns of a table whose
    header line is missing: whose first line names none of `columns`.

    Raises:
        EmollamaError: no such file, not UTF-8, no header, a column is missing or duplicated, or
            (without `odd`) a row has more or fewer cells than the header.
    """
    table = records(read_text(path), ",", path)
    line, header = next(table, (0, []))
    if not header:
        raise EmollamaError(f"{path}: is empty; the first line must name the columns")
    spelled = {column.lower(): column for column in (*columns, *optional)}
    if unnamed and not {cell.strip().lower() for cell in header} & {c.lower() for c in columns}:
        table, header = chain([(line, header)], table), list(unnamed)
    names = [spelled.get(name.strip().lower(), name.strip()) for name in header]
    for column in columns:
        if column not in names:
            raise EmollamaError(
                f"{path}:{line}: has no column '{column}'{did_you_mean(column, names)}"
            )
    for column in spelled.values():
        if names.count(column) > 1:
            raise EmollamaError(f"{path}:{line}: column '{column}' occurs twice")
    for number, cells in table:
        if len(cells) != len(names):
            reason = (
                f"has {len(cells)} cells, the header {len(names)}; "
                "the file may be cut off, or a text is not quoted"
            )
            if odd is None:
                raise EmollamaError(f"{path}:{number}: {reason}")
            odd(f"{path}:{number}", reason)
            continue
        yield Row(f"{path}:{number}", {n: c.strip() for n, c in zip(names, cells, strict=True)})


def separator_of(line: str) -> str:
    """Comma, semicolon, tab or bar: the first of the most frequent in a line of names."""
    return max(",;\t|", key=line.count)


def records(text: str, separator: str, table: Path) -> Iterator[tuple[int, list[str]]]:
    """(first line, cells) of each record that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    while True:
        begin = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise EmollamaError(f"{table}:{begin}: is not a valid CSV row: {error}") from error
        if any(cell.strip() for cell in cells):
            yield begin, cells


_CP1252 = {
    code: char
    for code in range(0x80, 0xA0)
    if (char := bytes([code]).decode("cp1252", errors="ignore"))
}


def without_c1(text: str) -> str:
    """`text` with the control characters U+0080 to U+009F read as the cp1252 bytes they were.

    A cp1252 file that was read as Latin-1 and written as UTF-8 has them in place of quotes and
    dashes; in a subtitle they can mean nothing else. Everything else is kept.
    """
    return text.translate(_CP1252)
