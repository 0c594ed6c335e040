"""The table of the language model on RAVDESS's splits is that of the committed answers."""

from __future__ import annotations

from pathlib import Path

from benchmarks.people.results import RESULTS
from benchmarks.people.splits import splits_table
from emollama.scoring.report.tables import table_markdown

PAGE = Path(__file__).parents[2] / "docs/people.md"


def test_the_page_has_the_table_of_the_committed_answers() -> None:
    table = splits_table(RESULTS)
    assert table_markdown(table) in PAGE.read_text(encoding="utf-8")
    joint = [row for row in table.rows if row[1] == "voice + face"]
    assert len(joint) == 2 and all(float(row[5].split()[0]) > -0.03 for row in joint)
