"""Answers that earlier releases kept are found again: nothing is asked twice.

The files in `kept` were written by the release that had a cache each for the judge and for
annotation.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from emollama.base.files import read_json
from emollama.endpoints.answers import Answers, ledger
from emollama.endpoints.client import Reply
from emollama.endpoints.judge import CachedJudge, EndpointJudge

KEPT = Path(__file__).parent / "kept"


def never(*_: object) -> Reply:
    raise AssertionError("asked again")


def test_a_judge_s_answer_is_read_and_a_new_one_joins_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(KEPT / "judge", tmp_path / "judge")
    # Nobody listens there.
    judge = CachedJudge(EndpointJudge("tiny", "http://127.0.0.1:9/v1"), tmp_path / "judge")
    question = "Rate “a wide smile” against:\nhis smile"
    assert judge.ask(question) == "7. Much alike."
    monkeypatch.setattr(judge.judge, "reply", lambda messages, failed: Reply("3", 20, 1))
    assert judge.ask("Another?") == judge.ask("Another?") == "3"
    assert ledger(tmp_path / "judge", 1e6) == {
        "models": {"tiny": 2}, "answers": 2, "unanswered": 0, "attempts": {"ok": 2},
        "tokens_in": 20, "tokens_out": 1, "cost": 20.0,
    }  # fmt: skip


def test_a_build_s_answers_are_read_and_counted() -> None:
    paths = sorted((KEPT / "refine").rglob("*.json"))
    assert len(paths) == 2
    for path in paths:
        kept = read_json(path)
        found = Answers(KEPT / "refine", kept["model"]).ask(kept["messages"], never)
        assert (found.hash, found.text) == (path.stem, kept["answer"])
    assert ledger(KEPT / "refine")["attempts"] == {"ok": 2, "status 500": 1}
