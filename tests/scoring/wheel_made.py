"""Small wheel tables of the tests' own, in the published layout and with its known accidents."""

from __future__ import annotations

import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

FORMS = [
    ("fear", "fear,fearful,fears"),
    ("fearful", "fearful,fear"),
    ("fearless", "fearless,fear"),
    ("happy", "happy,happier"),
    ("sad", "sad,sadness"),
    ("shocked", "shocked,shock"),
    ("glad", "glad"),
    ("scared", "scared"),
]
SYNONYMS = [
    ("brave", "fearless, bold", "scared", "fear, fearful"),
    ("scared", "fearful, afraid", "brave", "daring"),
    ("glad", "happy", "Glad", "Happy"),
    ("gloomy", "sad", "astonished", "shocked"),
]
WHEEL = [
    ("Joyful", "Glad", "Brave"),
    ("", "Calm", "Quiet"),
    (" Scared ", "Afraid", "Alarmed"),
    ("Sad", "Gloomy", ""),
]
SECOND = [*WHEEL, ("Surprised", "Astonished", "Shocked")]


def sheet(path: Path, rows: list[tuple[str, ...]]) -> None:
    """A workbook as small as one can be: shared strings for text, nothing for blanks."""
    strings: list[str] = []
    body = []
    for number, row in enumerate(rows, 1):
        cells = []
        for k, text in enumerate(row):
            if text:
                strings.append(text)
                cells.append(f'<c r="{chr(65 + k)}{number}" t="s"><v>{len(strings) - 1}</v></c>')
        body.append(f'<row r="{number}">{"".join(cells)}</row>')
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    items = "".join(f"<si><t>{escape(s)}</t><rPh><t>x</t></rPh></si>" for s in strings)
    with zipfile.ZipFile(path, "w") as book:
        book.writestr("xl/sharedStrings.xml", f"<sst {space}>{items}</sst>")
        rows_xml = f"<worksheet {space}><sheetData>{''.join(body)}</sheetData></worksheet>"
        book.writestr("xl/worksheets/sheet1.xml", rows_xml)


def write_tables(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["name,format", *(f'{name},"{forms}"' for name, forms in FORMS)]
    (folder / "format.csv").write_text("\n".join(lines) + "\n")
    head = ("word_run1", "synonym_run1", "word_run2", "synonym_run2")
    sheet(folder / "synonym.xlsx", [head, *SYNONYMS])
    for k in range(1, 6):
        rows = WHEEL if k < 5 else SECOND
        sheet(folder / f"wheel{k}.xlsx", [("level1", "level2", "level3"), *rows])
    return folder
