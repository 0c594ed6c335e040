"""Refinement behind a misbehaving server: nothing lost, nothing asked twice, the ledger exact."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from emollama.base.errors import EmollamaError
from emollama.base.files import read_json
from emollama.endpoints.answers import Answers, write_ledger
from emollama.endpoints.client import Message, Reply
from emollama.merr.refine import run_refine
from emollama.merr.stagefile import read_rows
from tests.merr.rows import build, described
from tests.merr.standin import stand_in

CLIPS = 40


def endpoint(url: str, **more: Any) -> dict[str, Any]:
    return {"kind": "endpoint", "url": url, "model": "stand-in", "concurrency": 8, "pause": 0.01,
            "timeout": 5, **more}  # fmt: skip


def rows(out: Path) -> dict[str, dict[str, Any]]:
    return {r["id"]: r for r in read_rows(out / "stages" / "refine.jsonl")}


def test_a_troubled_server_costs_tries_and_nothing_else(tmp_path: Path) -> None:
    trouble = ["429", "500", "broken body", "disconnect", "answer"]
    numbers: dict[str, int] = {}

    def behave(text: str, count: int) -> str:
        number = numbers.setdefault(text, len(numbers))
        return trouble[number % 5] if count == 0 else "answer"

    with stand_in(behave) as server:
        made = build(tmp_path, refine=endpoint(server.url))
        described(made, CLIPS)
        run_refine(made)
        found = rows(tmp_path)
        assert len(found) == CLIPS
        assert {r["status"] for r in found.values()} == {"ok"}
        assert set(server.served.values()) == {1}
        asked = sum(server.asked.values())
        ledger = write_ledger(tmp_path, {"refine": (2.0, 8.0)})["refine"]
        assert ledger["answers"] == CLIPS
        assert sum(ledger["attempts"].values()) == asked
        assert ledger["attempts"]["ok"] == CLIPS
        assert [ledger["tokens_in"], ledger["tokens_out"]] == server.tokens
        cost = (2.0 * server.tokens[0] + 8.0 * server.tokens[1]) / 1e6
        assert ledger["cost"] == pytest.approx(cost, abs=1e-6)
        run_refine(build(tmp_path, refine=endpoint(server.url)))
        assert sum(server.asked.values()) == asked


def test_broken_json_is_repaired_once_then_rejected(tmp_path: Path) -> None:
    def behave(text: str, count: int) -> str:
        repairing = text.startswith("That answer cannot be used")
        if "prize" in text or repairing:
            return "broken json" if repairing and len(server.bodies) % 2 else "answer"
        return "broken json"

    with stand_in(behave) as server:
        made = build(tmp_path, refine=endpoint(server.url, concurrency=1))
        described(made, 12)
        run_refine(made)
        found = list(rows(tmp_path).values())
        invalid = [r for r in found if r["status"] == "rejected"]
        assert len(found) == 12
        assert {r["reason"] for r in invalid} == {"invalid answer"}
        assert all(len(r["answers"]) == 2 for r in invalid)
        repaired = [r for r in found if r["status"] == "ok" and len(r["answers"]) == 2]
        assert repaired and invalid
        assert max(len(b["messages"]) for b in server.bodies) == 4
        first = read_json(next((tmp_path / "answers" / "refine").glob("*/*.json")))
        assert first["hash"] in str(sorted((tmp_path / "answers").rglob("*.json")))


def test_a_stopped_run_goes_on_to_the_same_bytes_without_asking_again(tmp_path: Path) -> None:
    with stand_in() as server:
        whole = build(tmp_path / "whole", refine=endpoint(server.url, concurrency=1))
        described(whole, CLIPS)
        run_refine(whole)
        once = sum(server.served.values())
        assert once == CLIPS
    down = False

    def behave(text: str, count: int) -> str:
        del text, count
        nonlocal down
        down = down or sum(server.served.values()) >= 15
        return "500" if down else "answer"

    settings = {"concurrency": 4, "retries": 1}
    with stand_in(behave) as server:
        cut = build(tmp_path / "cut", refine=endpoint(server.url, **settings))
        described(cut, CLIPS)
        with pytest.raises(EmollamaError, match=r"refine\.url.*does not answer.*to continue"):
            run_refine(cut)
        kept = sum(server.served.values())
        assert kept >= 15
    with stand_in() as server:
        run_refine(build(tmp_path / "cut", refine=endpoint(server.url, **settings)))
        assert sum(server.served.values()) == CLIPS - kept
    same = [tmp_path / part / "stages" / "refine.jsonl" for part in ("whole", "cut")]
    assert same[0].read_bytes() == same[1].read_bytes()


class Busy:
    """A server that answers its oldest question only while `slots` are open, or all have come."""

    def __init__(self, slots: int, questions: int) -> None:
        self.slots, self.questions = slots, questions
        self.number: dict[str, int] = {}
        self.starved = False
        self._came = threading.Condition()

    def __call__(self, text: str, count: int) -> str:
        del count
        with self._came:
            number = self.number.setdefault(text, len(self.number))
            self._came.notify_all()
        self.wait_for(number + self.slots)
        return "answer"

    def wait_for(self, questions: int) -> None:
        """Until so many have come; then, or after a time without, all go on."""
        enough = min(questions, self.questions)
        with self._came:
            if not self._came.wait_for(lambda: self.starved or len(self.number) >= enough, 30):
                self.starved = True
                self._came.notify_all()


def test_throughput_is_the_servers_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slot is filled again as soon as it is free: neither the other answers are waited for, nor
    the writing of the last one.
    """
    busy = Busy(8, CLIPS)
    keep = Answers.keep

    def kept_late(self: Answers, name: str, messages: Sequence[Message], reply: Reply) -> None:
        busy.wait_for(busy.number[messages[-1]["content"]] + 1 + busy.slots)
        keep(self, name, messages, reply)

    monkeypatch.setattr(Answers, "keep", kept_late)
    with stand_in(busy) as server:
        made = build(tmp_path, refine=endpoint(server.url, concurrency=busy.slots, timeout=90))
        described(made, CLIPS)
        run_refine(made)
    assert not busy.starved and len(busy.number) == CLIPS and server.most == busy.slots


def test_refusals_are_rejected_and_told(tmp_path: Path) -> None:
    def behave(text: str, count: int) -> str:
        del count
        return "400" if "prize" in text else "answer"

    with stand_in(behave) as server:
        made = build(tmp_path, refine=endpoint(server.url))
        described(made, 8)
        counts = run_refine(made)
        assert counts.reasons == {"refused by the model": 2}
        assert counts.went == 6


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"kind": "endpoint", "url": "localhost", "model": "m"}, "not an http or https URL"),
        ({"kind": "endpoint", "url": "http://localhost:1/v1"}, "give the model's name"),
        ({"kind": "local", "model": "nowhere"}, "neither an asset nor a folder"),
        (
            {"kind": "endpoint", "url": "http://h/v1", "model": "m", "key_env": "NOT_SET_HERE"},
            "NOT_SET_HERE' is not set",
        ),
    ],
)
def test_settings_that_cannot_work_are_one_line(
    tmp_path: Path, section: dict[str, Any], message: str
) -> None:
    made = build(tmp_path, refine=section)
    described(made, 2)
    with pytest.raises(EmollamaError, match=message):
        run_refine(made)
