"""Servers that refuse, settings that cannot work, and a key that must not be found anywhere."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from emollama.base.errors import EmollamaError
from emollama.endpoints import client as module
from emollama.endpoints.answers import Answers, write_ledger
from emollama.merr.card import Contents, write_card
from emollama.merr.models.asking import endpoint_of
from emollama.merr.refine import run_refine
from emollama.merr.settings import ModelSection
from emollama.merr.stagefile import read_rows
from tests.merr.rows import build, described
from tests.merr.standin import StandIn, stand_in

CLIPS = 12


def endpoint(url: str, **more: Any) -> dict[str, Any]:
    return {"kind": "endpoint", "url": url, "model": "stand-in", "concurrency": 4, "pause": 0.01,
            "timeout": 5, **more}  # fmt: skip


def statuses(out: Path) -> list[str]:
    return [str(r["status"]) for r in read_rows(out / "stages" / "refine.jsonl")]


def tries_agree(out: Path, *servers: StandIn) -> None:
    """The ledger has as many tries as the servers have requests."""
    ledger = write_ledger(out, {})["refine"]
    assert sum(ledger["attempts"].values()) == sum(sum(s.asked.values()) for s in servers)


@pytest.mark.parametrize("status", ["401", "402", "404", "301"])
def test_a_server_that_refuses_everybody_stops_the_run_and_nothing_is_held_against_a_clip(
    tmp_path: Path, status: str
) -> None:
    with stand_in(lambda text, count: status) as server:
        made = build(tmp_path, refine=endpoint(server.url))
        described(made, CLIPS)
        with pytest.raises(EmollamaError, match=rf"refine\.url: .*{status}.*refine\.key_env"):
            run_refine(made)
    with stand_in() as mended:
        run_refine(build(tmp_path, refine=endpoint(mended.url)))
        assert statuses(tmp_path) == ["ok"] * CLIPS
        tries_agree(tmp_path, server, mended)


def test_refusals_of_every_question_are_the_settings_fault(tmp_path: Path) -> None:
    with stand_in(lambda text, count: "400") as server:
        made = build(tmp_path, refine=endpoint(server.url))
        described(made, CLIPS)
        with pytest.raises(EmollamaError, match=r"refuses every question.*status 400"):
            run_refine(made)
    with stand_in() as mended:
        run_refine(build(tmp_path, refine=endpoint(mended.url)))
        assert statuses(tmp_path) == ["ok"] * CLIPS
    # A few clips alone may really be refused, and where others were answered, many.
    few = build(tmp_path / "few", refine=endpoint(server.url))
    described(few, 2)
    with stand_in(lambda text, count: "400") as server:
        few.settings.refine.url = server.url
        assert run_refine(few).reasons == {"refused by the model": 2}


def test_tries_before_a_refusal_are_in_the_ledger(tmp_path: Path) -> None:
    def behave(text: str, count: int) -> str:
        return ("429" if count == 0 else "400") if "prize" in text else "answer"

    with stand_in(behave) as server:
        made = build(tmp_path, refine=endpoint(server.url))
        described(made, CLIPS)
        assert run_refine(made).reasons == {"refused by the model": 3}
        tries_agree(tmp_path, server)
        assert write_ledger(tmp_path, {})["refine"]["attempts"]["status 429"] == 3


def test_a_try_that_failed_is_in_the_ledger_though_the_run_was_killed(tmp_path: Path) -> None:
    def behave(text: str, count: int) -> str:
        return "500" if count == 0 else "answer"

    class KilledError(BaseException):
        """What no handler catches."""

    def killed(seconds: float) -> None:
        raise KilledError

    with stand_in(behave) as server:
        answers = Answers(tmp_path / "answers" / "refine", {})
        section = ModelSection.model_validate(endpoint(server.url))
        question = [{"role": "user", "content": "What do you see?"}] * 2
        with pytest.raises(KilledError):
            answers.ask(question, replace(endpoint_of(section, "refine"), sleep=killed).ask)
        answers.ask(question, endpoint_of(section, "refine").ask)
        tries_agree(tmp_path, server)


def test_a_request_that_timed_out_there_is_tried_again(tmp_path: Path) -> None:
    with stand_in(lambda text, count: "answer" if count else "408") as server:
        made = build(tmp_path, refine=endpoint(server.url))
        described(made, 4)
        assert run_refine(made).went == 4


def test_a_key_is_nowhere_in_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MERR_TEST_KEY", "sk-very-secret-1")

    def behave(text: str, count: int) -> str:
        del count
        return "echo" if "prize" in text else "answer"

    with stand_in(behave) as server:
        made = build(tmp_path, refine=endpoint(server.url, key_env="MERR_TEST_KEY"))
        described(made, CLIPS)
        assert run_refine(made).reasons == {"refused by the model": 3}
        write_ledger(tmp_path, {})
        write_card(made, {}, Contents(), [])
    texts = {p: p.read_text() for p in tmp_path.rglob("*") if p.is_file()}
    assert len(texts) > CLIPS and any("wrong: Bearer" in text for text in texts.values())
    assert not [p for p, text in texts.items() if "very-secret" in text]


@pytest.mark.parametrize(
    "url", ["http://user:pass@host/v1", "http://host/v1?key=abc", "https://host/v1#abc"]
)
def test_an_address_holds_no_secret(url: str) -> None:
    section = ModelSection(kind="endpoint", url=url, model="m")
    with pytest.raises(EmollamaError, match=r"refine\.url: .*key_env") as error:
        endpoint_of(section, "refine")
    assert "pass" not in str(error.value) and "abc" not in str(error.value)


def test_a_connection_that_the_server_may_have_closed_is_not_used_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LONGEST_IDLE", 0.1)
    with stand_in(lambda text, count: "text:Yes.", keeps=0.2) as server:
        asked = endpoint_of(ModelSection.model_validate(endpoint(server.url)), "refine")
        failed: list[str] = []
        for seconds in (0.4, 0.0, 0.0):
            asked.ask([{"role": "user", "content": str(seconds)}], failed.append)
            time.sleep(seconds)
        assert not failed


def test_fields_of_the_request_are_the_user_s_own(tmp_path: Path) -> None:
    with stand_in() as server:
        body = {"max_tokens": None, "max_completion_tokens": 99, "options": {"num_ctx": 4096}}
        made = build(tmp_path, refine=endpoint(server.url, body=body))
        described(made, 2)
        run_refine(made)
        assert set(server.bodies[0]) == {
            "model", "messages", "temperature", "max_completion_tokens", "options",
        }  # fmt: skip
        run_refine(build(tmp_path, refine=endpoint(server.url, body={})))
        assert len(server.bodies) == 4, "another request is another question"
