"""The committed scores of scenes are those of the committed spans, scores and labels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.recordings.found import RESULTS, read_cell
from benchmarks.recordings.measure import scores_page

FOLDER = Path(__file__).parents[2] / RESULTS
CELLS = sorted(FOLDER.glob("*.jsonl"))


@pytest.mark.skipif(not CELLS, reason="no scenes have been measured yet")
def test_scores_are_those_of_the_committed_cells() -> None:
    page = scores_page({path.stem: read_cell(path) for path in CELLS})
    assert page == (FOLDER / "scores.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", CELLS, ids=lambda path: path.stem)
def test_nothing_that_identifies_anybody_is_committed(path: Path) -> None:
    """Rows hold spans, scores and labels: no list of numbers is long enough for a vector."""
    for line in path.read_text(encoding="utf-8").splitlines():
        found = json.loads(line)["found"]
        assert set(found) == {
            "turns", "counted", "true_speech", "faces", "cuts", "answers", "true_answers",
        }  # fmt: skip
        assert all(len(place) == 3 for places in found["faces"].values() for place in places)
        for answer in (*found["answers"], *found["true_answers"]):
            assert set(answer) == {"start", "end", "person", "scores", "without_norm"}
