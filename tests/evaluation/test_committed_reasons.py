"""The table of docs/reasons.md is that of the committed predictions."""

from __future__ import annotations

from pathlib import Path

from benchmarks.reasons.table import BASELINE, NAMES, RESULTS, named, reasons_table
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.report.tables import table_markdown

PAGE = Path(__file__).parents[2] / "docs" / "reasons.md"


def test_the_page_holds_the_table() -> None:
    table = table_markdown(reasons_table(RESULTS))
    assert table in PAGE.read_text(encoding="utf-8")
    files = {p.name.rsplit("-", 1)[0] for p in RESULTS.glob("*.jsonl")}
    assert files <= NAMES.keys() and BASELINE in files


def test_clues_that_are_not_there_are_counted_and_their_opposites() -> None:
    row = Prediction(
        id="a", reason="A low pitch and raised cheeks, so it is sad.", clues=("pitch=high", "AU6")
    )
    found = named([row, row.model_copy(update={"reason": "Raised cheeks and fast speech."})])
    assert (found.false, found.opposite, found.count) == (0.5, 0.25, 2)
