"""What is usual in a corpus whose clips do not all have the same signs."""

from __future__ import annotations

from pathlib import Path

import pytest

from emollama.merr.norms import write_norms
from emollama.merr.stagefile import read_rows
from tests.merr.rows import build, measured, write


def test_a_unit_that_only_some_clips_have_is_told_by_those(tmp_path: Path) -> None:
    made = build(tmp_path)
    measured(made, 4)
    rows = list(read_rows(made.stages / "units.jsonl"))
    for row, level in zip(rows, (None, 2.0, 4.0, None), strict=True):
        if level is not None:
            row["signs"] = [*row["signs"], "AU09"]
            row["values"] = [[*values, level] for values in row["values"]]
    write(made, "units", rows)
    face = write_norms(made).values["face"]
    assert face["mean"]["AU09"] == pytest.approx(3.0)
    assert face["deviation"]["AU09"] == pytest.approx(1.0)
