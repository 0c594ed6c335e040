"""The committed answers make the committed report, and the stand-ins in it are found out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from benchmarks.arena.errors import table
from emollama.arena.report import leaderboard
from emollama.arena.run import ANSWERS, CLIPS, CONFIG, score_folder
from emollama.scoring.report.tables import table_markdown

RESULTS = Path(__file__).parents[2] / "results" / "arena"
DOCS = RESULTS.parents[1] / "docs" / "arena.md"


def test_the_report_is_made_again(tmp_path: Path) -> None:
    for name in (ANSWERS, CLIPS, CONFIG):
        shutil.copy(RESULTS / name, tmp_path)
    score_folder(tmp_path)
    for name in ("arena.json", "arena.md", "arena.html"):
        assert (tmp_path / name).read_bytes() == (RESULTS / name).read_bytes(), name


def test_every_stand_in_is_found_out() -> None:
    result = json.loads((RESULTS / "arena.json").read_text(encoding="utf-8"))
    found = {r["name"]: [one["bias"] for one in r["biases"]] for r in result["contestants"]}
    standins = ("always happy", "first label", "last label", "words only", "voice only", "random")
    assert {name: found[name] for name in standins} == {name: [name] for name in standins}


def test_the_page_needs_nothing_else() -> None:
    page = (RESULTS / "arena.html").read_text(encoding="utf-8")
    assert "<script" not in page and "src=" not in page and "href=" not in page


def test_errors_of_the_rules_are_those_of_the_docs() -> None:
    errors = json.loads((RESULTS / "errors.json").read_text(encoding="utf-8"))
    assert table(errors) in DOCS.read_text(encoding="utf-8")


def test_the_leaderboard_is_that_of_the_docs() -> None:
    result = json.loads((RESULTS / "arena.json").read_text(encoding="utf-8"))
    assert table_markdown(leaderboard(result)) in DOCS.read_text(encoding="utf-8")
