"""An analysis comes back whole, under other names, and its files with it."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.media.languages import Language
from emollama.recording.export import write_all
from emollama.recording.parts import Analysis
from emollama.recording.result.kept import keep_analysis, kept_analysis
from emollama.recording.result.naming import merged, renamed
from tests.recording.export.made import STEM, analysis


@pytest.fixture
def made(tmp_path: Path) -> Analysis:
    return analysis(tmp_path / f"{STEM}.mp4")


def written(one: Analysis, out: Path) -> dict[str, bytes]:
    write_all(one, out)
    return {file.name: file.read_bytes() for file in out.iterdir()}


def test_what_was_kept_writes_the_same_files_and_holds_no_vectors(
    made: Analysis, tmp_path: Path
) -> None:
    made = replace(made, language=Language("de", 0.9))
    path = tmp_path / "analysis.npz"
    keep_analysis(made, path)
    back = kept_analysis(path)
    assert written(back, tmp_path / "b") == written(made, tmp_path / "a")
    assert replace(back, people=(), timelines={}) == replace(made, people=(), timelines={})
    tracks, kept = made.people[0].tracks, back.people[0].tracks
    assert len(tracks) == len(kept) and np.array_equal(kept[0].boxes, tracks[0].boxes)
    assert not kept[0].appearance.size and path.stat().st_mode & 0o077 == 0
    path.write_bytes(b"PK")
    with pytest.raises(EmollamaError, match=r"analysis\.npz: cannot be read"):
        kept_analysis(path)


def test_a_name_is_everywhere(made: Analysis, tmp_path: Path) -> None:
    files = written(renamed(made, "B", " Bo\nLee "), tmp_path / "out")
    rows = list(csv.DictReader(files["segments.csv"].decode("utf-8-sig").splitlines()))
    assert [row["person"] for row in rows] == ["A", "Bo Lee", "A", "A", "Bo Lee"]
    assert b"Bo Lee emotion" in files["recording.eaf"] and b"Bo Lee" in files["recording.TextGrid"]
    fields = [line.split() for line in files["recording.rttm"].decode().splitlines()]
    assert {len(line) for line in fields} == {10} and {line[7] for line in fields} == {
        "A", "Bo_Lee",
    }  # fmt: skip
    assert (
        b"<v Bo Lee>" in files["recording.vtt"] and b"<span>Bo Lee</span>" in files["report.html"]
    )


def test_two_people_become_one(made: Analysis) -> None:
    one = merged(made, "B", "A")
    assert [p.name for p in one.people] == ["A"] and list(one.timelines) == ["A"]
    assert {s.person for s in one.segments} == {"A"} and len(one.segments) == len(made.segments)
    assert [(t.start, t.end) for t in one.turns] == [(0.5, 7.0), (7.5, 12), (18, 20)]
    a, b, both = made.timelines["A"], made.timelines["B"], one.timelines["A"]
    assert (both.speaking == (a.speaking | b.speaking)).all()
    only_b = np.isfinite(b.pitch) & ~np.isfinite(a.pitch)
    assert only_b.any() and (both.pitch[only_b] == b.pitch[only_b]).all()
    assert "merged by hand" in one.notes[-1]
    # Both are named by the remaining name even where the other came first.
    assert [p.name for p in merged(made, "A", "B").people] == ["B"]


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (lambda m: renamed(m, "C", "Ann"), "there is no person 'C'"),
        (lambda m: renamed(m, "A", " \n"), "write a new name for A"),
        (lambda m: renamed(m, "A", "x" * 41), "at most 40 characters, not 41"),
        (lambda m: renamed(m, "A", "B"), "there is a B already; merge A and B"),
        (lambda m: merged(m, "A", "A"), "choose two people to merge"),
    ],
)
def test_mistakes_are_one_line(made: Analysis, act: object, told: str) -> None:
    with pytest.raises(EmollamaError, match=told):
        act(made)  # type: ignore[operator]
