"""What docs/merr.md says of models trained on a built set follows from the committed answers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sklearn.metrics import f1_score

from emollama.scoring.predictions.predictions import read_predictions

ROOT = Path(__file__).parents[2]
ANSWERS = ROOT / "results" / "merr_built"
ROW = re.compile(r"\| (?P<seed>[789]) \| (?P<built>[\d.]+) \| (?P<true>[\d.]+) \|")


def weighted_f1(path: Path) -> float:
    predictions = read_predictions(path)
    _, channels = predictions.headline()
    rows = predictions.select(channels)
    assert len(rows) == 200
    return float(f1_score([r.reference for r in rows], [str(r.label) for r in rows],
                          average="weighted"))  # fmt: skip


def test_the_table_is_that_of_the_answers() -> None:
    page = (ROOT / "docs" / "merr.md").read_text(encoding="utf-8")
    told = [row.groupdict() for row in ROW.finditer(page)]
    files = [*(f"early-{{}}-{seed}" for seed in (7, 8, 9)), "llm-{}"]
    assert [row["seed"] for row in told] == ["7", "8", "9", "7"]
    share = []
    for row, name in zip(told, files, strict=True):
        found = {side: weighted_f1(ANSWERS / f"{name.format(side)}.jsonl")
                 for side in ("built", "true")}  # fmt: skip
        assert found == {s: pytest.approx(float(row[s]), abs=6e-4) for s in found}
        share.append(found["built"] / found["true"])
    assert min(share[:3]) >= 0.9
