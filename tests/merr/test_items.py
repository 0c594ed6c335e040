"""Clips on their way: one that a stage left out takes nobody else with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.merr.build import Build
from emollama.merr.caption import run_caption
from emollama.merr.stagefile import read_rows
from emollama.merr.stages import STAGES
from tests.merr.rows import build, measured, write


def without_a_face(made: Build, which: str) -> None:
    """Take the face from one clip's row of stage `units`."""
    rows = [{k: v for k, v in row.items() if k != "key"}
            for row in read_rows(made.stages / "units.jsonl")]  # fmt: skip
    write(made, "units", [
        row if row["id"] != which
        else {"id": which, "status": "rejected", "reason": "no face", "detail": "none"}
        for row in rows
    ])  # fmt: skip


def test_a_clip_left_out_in_the_middle_leaves_the_others_in(tmp_path: Path) -> None:
    made = build(tmp_path, refine={"kind": "template"})
    measured(made, 8)
    without_a_face(made, "clip-0002")
    for name in ("norms", "emotion", "peak", "visual", "tone"):
        STAGES[name].run(made)
    counts = run_caption(made)
    assert counts.went == 7
    kept = [json.loads(line)["id"] for line in (made.stages / "caption.jsonl").open()]
    assert kept == [f"clip-{i:04d}" for i in range(8) if i != 2]


def test_rows_of_other_clips_are_told_not_lost(tmp_path: Path) -> None:
    made = build(tmp_path)
    measured(made, 4)
    ids = [row["id"] for row in read_rows(made.stages / "voice.jsonl")]
    write(made, "clips", [{"id": i, "status": "ok", "content": i} for i in ids if i != ids[1]])
    with pytest.raises(EmollamaError, match=r"voice\.jsonl: has rows for clips that stage 'clips'"):
        list(made.items("clips", "voice"))
