"""Cells of the first sheet of an .xlsx workbook, as text; nothing in it is executed.

A workbook is a zip of XML (ECMA-376, part 1, section 18). Only what the emotion-wheel tables use
is read: shared, inline and plain values. Formulas are not calculated.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from pathlib import Path
from xml.etree import ElementTree

from emollama.base.errors import EmollamaError

LARGEST = 64 * 1024 * 1024
"""Largest unpacked part, in bytes; a table is far smaller, a zip bomb far larger."""

_NS = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def read_sheet(path: Path) -> list[list[str]]:
    """Rows of the first sheet as text, blank cells as ''; rows may differ in length.

    Raises:
        EmollamaError: the file is missing, not a workbook, or a part is missing or too large.
    """
    try:
        with zipfile.ZipFile(path) as book:
            shared = []
            if "xl/sharedStrings.xml" in book.namelist():
                tree = _part(path, book, "xl/sharedStrings.xml")
                shared = [_text(item) for item in tree.iter(f"{_NS}si")]
            sheet = _part(path, book, _first_sheet(path, book))
    except OSError as error:
        raise EmollamaError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise EmollamaError(f"{path}: is not an .xlsx workbook: {error}") from error
    rows: list[list[str]] = []
    for row in sheet.iter(f"{_NS}row"):
        cells: list[str] = []
        for cell in row.iter(f"{_NS}c"):
            column = _column(cell.get("r", ""), len(cells))
            cells += [""] * (column + 1 - len(cells))
            cells[column] = _value(path, cell, shared)
        rows.append(cells)
    return rows


def _first_sheet(path: Path, book: zipfile.ZipFile) -> str:
    sheets = [n for n in book.namelist() if re.fullmatch(r"xl/worksheets/sheet\d+\.xml", n)]
    if not sheets:
        raise EmollamaError(f"{path}: has no worksheet")
    return min(sheets, key=lambda n: int(re.findall(r"\d+", n)[-1]))


def _part(path: Path, book: zipfile.ZipFile, name: str) -> ElementTree.Element:
    with book.open(name) as part:
        # The size that a zip declares may lie, so what is read is what is bounded.
        data = part.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise EmollamaError(f"{path}: {name} is larger than {LARGEST} bytes unpacked")
    if b"<!DOCTYPE" in data[:4096]:
        raise EmollamaError(f"{path}: {name} declares a document type, which a workbook never does")
    try:
        return ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise EmollamaError(f"{path}: {name} is not XML: {error}") from error


def _text(item: ElementTree.Element) -> str:
    """Text of a shared string: plain or in runs; phonetic hints (rPh) are left out."""
    runs = [item, *item.findall(f"{_NS}r")]
    return "".join(t.text or "" for run in runs for t in run.findall(f"{_NS}t"))


def _value(path: Path, cell: ElementTree.Element, shared: list[str]) -> str:
    inline = cell.find(f"{_NS}is")
    if inline is not None:
        return _text(inline)
    value = cell.findtext(f"{_NS}v") or ""
    if cell.get("t") != "s" or not value:
        return value
    if not value.isdigit() or int(value) >= len(shared):
        raise EmollamaError(
            f"{path}: cell {cell.get('r')} refers to string {value}, which does not exist"
        )
    return shared[int(value)]


def _column(reference: str, default: int) -> int:
    letters = re.match(r"[A-Z]{1,3}", reference)
    if letters is None:
        return default
    number = 0
    for letter in letters[0]:
        number = number * 26 + ord(letter) - 64
    return number - 1
