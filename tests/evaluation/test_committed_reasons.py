"""The table of docs/reasons.md is that of the committed predictions."""

from __future__ import annotations

from pathlib import Path

from benchmarks.reasons.table import BASELINE, NAMES, RESULTS, reasons_table
from emollama.scoring.report.tables import table_markdown

PAGE = Path(__file__).parents[2] / "docs" / "reasons.md"


def test_the_page_holds_the_table() -> None:
    table = table_markdown(reasons_table(RESULTS))
    assert table in PAGE.read_text(encoding="utf-8")
    files = {p.name.rsplit("-", 1)[0] for p in RESULTS.glob("*.jsonl")}
    assert files <= NAMES.keys() and BASELINE in files
