"""The tables behind the emotion-wheel metrics: word forms, synonyms and five wheels.

The tables belong to their authors (MERTools / AffectGPT, research use) and do not come with this
project: they are read from a folder of the user's that holds `format.csv`, `synonym.xlsx` and
`wheel1.xlsx` to `wheel5.xlsx` (Lian et al., "AffectGPT", ICML 2025, and the MER2025 and MER2026
challenges; the two years differ in `format.csv`).
"""

from __future__ import annotations

import hashlib
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from emollama.base.csv_rows import records
from emollama.base.errors import EmollamaError, require_known
from emollama.base.files import read_text
from emollama.base.workbook import read_sheet

WHEELS = 5
Rules = Literal["mer2025", "mer2026"]
"""Whose conventions for empty sums hold: NaN in 2025, 0 in 2026."""

_PUBLISHED: dict[str, Rules] = {
    "ba6de7d61db8e129d1d7ef8a2aae22a9e93a2c2e3e683e6f2735d04455f016f2": "mer2025",
    "82234299875465ecf6c196ace42ffbe745baaeea72b5e39de955af36929982a4": "mer2026",
}
"""SHA-256 of each year's `format.csv`."""


@dataclass(frozen=True)
class Wheel:
    """One wheel: inner (level 1), middle (level 2) and outer (level 3) ring.

    Attributes:
        placements: (level-1 name, level-2 name, level-3 name) of each row, lower case, blanks
            filled from above.
    """

    placements: tuple[tuple[str, str, str], ...]

    def published(self, level: int) -> dict[str, str]:
        """Word to category as the published scorer places it; the last writing wins.

        Level 1: every word to its level-1 name. Level 2: level-2 and level-3 words to their
        level-2 name, a level-1 name to the alphabetically first level-2 name under it.
        """
        nested: dict[str, dict[str, list[str]]] = {}
        for one, two, three in self.placements:
            nested.setdefault(one, {}).setdefault(two, []).append(three)
        found: dict[str, str] = {}
        for one, middle in nested.items():
            found[one] = one if level == 1 else min(middle)
            for two, outer in middle.items():
                for word in (two, *outer):
                    if word:
                        found[word] = one if level == 1 else two
        return found

    def own(self, level: int) -> dict[str, str]:
        """Word to category with an inner ring's word placed first and never moved again."""
        found: dict[str, str] = {}
        for ring in range(3):
            for row in self.placements:
                word = row[ring]
                if word:
                    found.setdefault(word, row[0] if level == 1 or ring == 0 else row[1])
        return found

    def rings(self) -> dict[str, int]:
        """Word to the innermost ring that holds it: 0, 1 or 2."""
        found: dict[str, int] = {}
        for ring in range(3):
            for row in self.placements:
                if row[ring]:
                    found.setdefault(row[ring], ring)
        return found


@dataclass(frozen=True)
class WheelTables:
    """What the metrics look words up in.

    Attributes:
        forms: a word as written to the names it is a form of ("fears" to "fear").
        synonyms: a name to the table words it is a synonym of.
        wheels: the five wheels.
        rules: whose conventions hold (see `Rules`).
        version: "mer2025", "mer2026", or "own tables".
        sha256: of all seven files together, for the result.
    """

    forms: dict[str, frozenset[str]]
    synonyms: dict[str, frozenset[str]]
    wheels: tuple[Wheel, ...]
    rules: Rules
    version: str
    sha256: str

    def candidates(self, word: str) -> list[str]:
        """Every table word that `word` may stand for, sorted by code point.

        `word` is looked up as it is; lower-casing and stripping are the caller's.
        """
        names = self.forms.get(word, ())
        return sorted({w for name in names for w in self.synonyms.get(name, ())})


def read_wheel_tables(folder: Path, rules: Rules | None = None) -> WheelTables:
    """Read the seven tables of a folder.

    Args:
        folder: holds them under their published names.
        rules: conventions of 2025 or 2026; by default those of the year that `format.csv` is
            from, and of 2026 for tables that are neither's.

    Tables that are not the published ones are told on stderr, with the number of word forms.

    Raises:
        EmollamaError: a missing file, or one that is not a table of its kind.
    """
    if rules is not None:
        require_known("rules", rules, get_args(Rules))
    names = ["format.csv", "synonym.xlsx", *(f"wheel{k}.xlsx" for k in range(1, WHEELS + 1))]
    missing = [n for n in names if not (folder / n).is_file()]
    if missing:
        raise EmollamaError(
            f"{folder}: holds no {missing[0]}; the emotion-wheel tables are {', '.join(names)}, "
            "as MERTools publishes them"
        )
    digest = hashlib.sha256(b"".join((folder / n).read_bytes() for n in names)).hexdigest()
    year = _PUBLISHED.get(hashlib.sha256((folder / "format.csv").read_bytes()).hexdigest())
    forms = _forms(folder / "format.csv")
    if year is None:
        print(
            f"note: {folder}/format.csv: is not the file published with "
            f"{' or '.join(_PUBLISHED.values())}; scored with its {len(forms):,} word forms",
            file=sys.stderr,
        )
    return WheelTables(
        forms,
        _synonyms(folder / "synonym.xlsx"),
        tuple(_wheel(folder / f"wheel{k}.xlsx") for k in range(1, WHEELS + 1)),
        rules or year or "mer2026",
        year or "own tables",
        digest,
    )


def _pairs(pairs: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    grouped: defaultdict[str, set[str]] = defaultdict(set)
    for key, value in pairs:
        grouped[key].add(value)
    return {key: frozenset(values) for key, values in grouped.items()}


def _forms(path: Path) -> dict[str, frozenset[str]]:
    table = records(read_text(path), ",", path)
    line, columns = next(table, (1, []))
    if any(columns.count(column) != 1 for column in ("name", "format")):
        raise EmollamaError(f"{path}:{line}: needs the columns 'name' and 'format', each once")
    pairs = []
    for number, cells in table:
        if len(cells) != len(columns):
            raise EmollamaError(
                f"{path}:{number}: has {len(cells)} cells, the header {len(columns)}; "
                "the file may be cut off, or a text is not quoted"
            )
        row = dict(zip(columns, cells, strict=True))
        if not row["name"]:
            raise EmollamaError(f"{path}:{number}: 'name' is empty")
        forms = [f.strip() for f in row["format"].split(",")]
        pairs += [(form, row["name"]) for form in (*forms, row["name"]) if form]
    return _pairs(pairs)


def _synonyms(path: Path) -> dict[str, frozenset[str]]:
    head, *rows = read_sheet(path) or [[]]
    # Each run lists the words in an order of its own: a row pairs run N with run N only.
    runs = [
        (head.index(name), head.index(name.replace("word", "synonym")))
        for name in head
        if name.startswith("word_run") and name.replace("word", "synonym") in head
    ]
    if not runs:
        raise EmollamaError(f"{path}:1: needs the columns word_run1, synonym_run1, and so on")
    pairs = []
    for row in rows:
        for word_at, synonym_at in runs:
            word = row[word_at].strip().lower() if word_at < len(row) else ""
            if word:
                listed = row[synonym_at].lower().split(",") if synonym_at < len(row) else []
                pairs += [(s.strip(), word) for s in (*listed, word) if s.strip()]
    return _pairs(pairs)


def _wheel(path: Path) -> Wheel:
    head, *rows = read_sheet(path) or [[]]
    columns = ("level1", "level2", "level3")
    if [h.strip() for h in head[:3]] != list(columns):
        raise EmollamaError(f"{path}:1: needs the columns {', '.join(columns)}")
    placements = []
    one = two = ""
    for number, row in enumerate(rows, 2):
        first, second, third = (c.strip().lower() for c in (*row, "", "", "")[:3])
        if not (first or second or third):
            continue
        one, two = first or one, second or two
        if not one or not two:
            raise EmollamaError(f"{path}:{number}: has no level1 or level2 above it")
        placements.append((one, two, third))
    if not placements:
        raise EmollamaError(f"{path}: holds no words")
    return Wheel(tuple(placements))
