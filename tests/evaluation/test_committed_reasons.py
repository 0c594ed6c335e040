"""The tables of docs/reasons.md are those of the committed predictions."""

from __future__ import annotations

from pathlib import Path

from benchmarks.reasons.table import RESULTS, ROWS, SEEDS, TRAININGS, reasons_table, seeds_table
from emollama.scoring.report.tables import table_markdown

PAGE = Path(__file__).parents[2] / "docs" / "reasons.md"


def test_the_page_holds_the_tables() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert table_markdown(reasons_table(RESULTS)) in page
    assert table_markdown(seeds_table(RESULTS)) in page
    files = {p.name.rsplit("-", 1)[0] for p in RESULTS.glob("*.jsonl")}
    assert files == {name for name, _, _ in ROWS} | {f"{n}-{s}" for n in TRAININGS for s in SEEDS}
