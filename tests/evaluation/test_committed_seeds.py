"""The table of docs/results.md over seeds is that of the committed answers."""

from __future__ import annotations

from pathlib import Path

from benchmarks.seeds import COMMITTED, SEEDS, seeds_table
from emollama.scoring.report.tables import table_markdown

PAGE = Path(__file__).parents[2] / "docs" / "results.md"


def test_the_page_holds_the_table() -> None:
    table = seeds_table()
    assert table_markdown(table) in PAGE.read_text(encoding="utf-8")
    runs = [path.stem.rpartition("-") for path in SEEDS.glob("*.jsonl")]
    named = {(name.rpartition("-")[0], dtype) for name, _, dtype in runs}
    assert named == {(line[0], line[2]) for line in table.rows}
    assert {row for row, _ in named} <= COMMITTED.keys()
