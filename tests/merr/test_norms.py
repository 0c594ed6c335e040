"""What is usual in a corpus whose clips do not all have the same signs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emollama.merr.norms import apex, person_seen, write_norms
from emollama.merr.stagefile import read_rows
from tests.merr.rows import UNITS, build, measured, write


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


def test_a_face_is_compared_with_the_persons_own_clips(tmp_path: Path) -> None:
    made = build(tmp_path)
    measured(made, 12)
    clips = list(read_rows(made.stages / "clips.jsonl"))
    people = [{"face": "frowner"} if i < 6 else {"speaker": "smiler"} for i in range(12)]
    people[11] = {"speaker": "smiler", "face": "seldom"}  # of one clip: the corpus is compared with
    write(made, "clips", [row | own for row, own in zip(clips, people, strict=True)])
    rows = list(read_rows(made.stages / "units.jsonl"))
    for i, row in enumerate(rows):
        rest = np.array([2, 2, 0, 0, 2, 0]) if i < 6 else np.array([0, 0, 2, 2, 0, 0])
        raised = 0.5 * (i % 2) * np.array([0, 0, 0, 0, 0, 1])
        row["values"] = [(rest + raised).tolist()] * 3
    write(made, "units", rows)
    norms = write_norms(made)
    found = [
        norms.face(apex(row), True, person_seen(own)) for row, own in zip(rows, people, strict=True)
    ]
    for face in found[:11]:  # nobody's resting face is an expression
        assert {u: v for u, v in face.items() if u != "AU26"} == dict.fromkeys(UNITS[:5], 0.0)
    assert [face["AU26"] > 0 for face in found] == [False, True] * 6
    assert found[11]["AU12"] > 0.5
