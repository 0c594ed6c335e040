"""Refinement behind a misbehaving server: nothing lost, nothing asked twice, the ledger exact."""

from __future__ import annotations

import json
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from emollama.base.errors import EmollamaError
from emollama.base.files import read_json
from emollama.endpoints.answers import write_ledger
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


def plain_client(url: str, bodies: list[bytes], threads: int) -> float:
    """Seconds of a client that does nothing but post, as many at a time."""

    def post(body: bytes) -> None:
        request = urllib.request.Request(
            url + "/chat/completions", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()

    began = time.monotonic()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(post, bodies))
    return time.monotonic() - began


def test_throughput_is_the_servers_own(tmp_path: Path) -> None:
    seconds, slots, clips = 0.25, 8, 96
    limit = clips * seconds / slots
    slower = []
    for attempt in range(3):  # a machine with other work to do may spoil one
        with stand_in(seconds=seconds, slots=slots) as server:
            made = build(tmp_path / str(attempt), refine=endpoint(server.url, concurrency=slots))
            described(made, clips)
            began = time.monotonic()
            run_refine(made)
            took = time.monotonic() - began
            assert server.most == slots
            bodies = [json.dumps(b).encode() for b in server.bodies]
            plain = plain_client(server.url, bodies, slots)
        # Within a tenth of the server's limit; on a machine so loaded that a bare client is not
        # either, of that client.
        if took < max(1.1 * limit, 1.25 * plain):
            return
        slower.append((took, plain))
    pytest.fail(f"seconds, and those of a bare client: {slower}")


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
