"""Reasons of the model that ships, held against the clues measured in each clip."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from benchmarks.people.reasons import FILE, LABELS, Reason, read_reasons, reasons_table, shown
from benchmarks.people.results import RESULTS, SHIPPED
from emollama.manifest.labels import get_label_set
from emollama.scoring.predictions.parsing import parse_words

MEASURED = ("low pitch", "quiet voice", "few pauses")


def test_a_clue_that_was_not_measured_or_points_the_other_way_is_counted(tmp_path: Path) -> None:
    true = "The voice has low pitch and a quiet sound. This points to sad."
    other_way = "The voice has high pitch and few pauses. This points to angry."
    lines = [
        json.dumps(asdict(Reason(f"c{i}", "emodb", "sad", MEASURED, text, true)))
        for i, text in enumerate((true, other_way))
    ]
    (tmp_path / FILE).write_text("\n".join(lines) + "\n")
    table = reasons_table(tmp_path, SHIPPED)
    assert table is not None
    assert table.rows[0][1:] == ("1.00", "2.0", "1 of 4", "0.50")
    assert table.rows[1][1:] == ("1.00", "2.0", "0 of 4", "0.00")


def test_the_committed_reasons_name_measured_clues() -> None:
    table = reasons_table(RESULTS, SHIPPED)
    assert table is not None and " 100 clips" in table.title
    model, template = table.rows
    for kind in (model, template):
        assert float(kind[1]) >= 0.9 and kind[3].startswith("0 of ")


def test_no_reason_that_is_shown_speaks_for_another_label() -> None:
    """Nineteen of the 100 did; the others stay as the model wrote them."""
    reasons = read_reasons(RESULTS)
    told = [shown(reason) for reason in reasons]
    for reason, checked in zip(reasons, told, strict=True):
        assert parse_words(checked.text or "", get_label_set(LABELS)).label == reason.label
        assert (checked.text == reason.reason) == (checked.origin == "model")
    assert [checked.origin for checked in told].count("model") == 81
