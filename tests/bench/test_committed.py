"""The committed answers of each bench make the committed table again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emollama.bench.answers import read_answers
from emollama.bench.report import bench_table
from emollama.bench.scores import scored
from emollama.scoring.report.tables import table_markdown

RESULTS = Path(__file__).parents[2] / "results" / "fusion"
FOLDERS = sorted(p.parent for p in RESULTS.glob("*/answers.json"))


def test_there_are_results() -> None:
    assert FOLDERS


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: p.name)
def test_scores_and_table_come_from_the_answers(folder: Path) -> None:
    answers = read_answers(folder / "answers.json")
    committed = json.loads((folder / "bench.json").read_text())
    page = (folder / "bench.md").read_text()
    # A tenth of the resamples: values and differences are the same, intervals are not compared.
    found = {row["name"]: row for row in scored({**answers, "bootstrap": 100})["rows"]}
    assert set(found) == {row["name"] for row in committed["rows"]}
    for row in committed["rows"]:
        again = found[row["name"]]
        for metric, score in row["scores"].items():
            assert again["scores"][metric]["value"] == pytest.approx(score["value"], abs=1e-6)
        if row["difference"]:
            assert again["difference"]["value"] == pytest.approx(
                row["difference"]["value"], abs=1e-6
            )
    assert table_markdown(bench_table(committed)) in page
