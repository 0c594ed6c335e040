"""The tables of docs/reasons.md are those of the committed predictions and readings."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.reasons.reading import FOLDER, drawn, reading_table
from benchmarks.reasons.table import METHODS, RESULTS, ROWS, SEEDS, reasons_table, seeds_table
from emollama.scoring.report.tables import table_markdown

PAGE = Path(__file__).parents[2] / "docs" / "reasons.md"


def test_the_page_holds_the_tables() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert table_markdown(reasons_table(RESULTS)) in page
    assert table_markdown(seeds_table(RESULTS)) in page
    assert table_markdown(reading_table()) in page
    files = {p.name.rsplit("-", 1)[0] for p in RESULTS.glob("*.jsonl")}
    more = {f"{method}-{seed}" for method in METHODS for seed in SEEDS}
    assert files == {name for name, _, _ in ROWS} | more


def test_what_was_read_are_the_committed_reasons() -> None:
    lines = (FOLDER / "sheet.jsonl").read_text(encoding="utf-8").splitlines()
    assert {row["id"]: row["text"] for row in map(json.loads, lines)} == drawn()
