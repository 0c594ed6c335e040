"""Everybody is asked everything once: nothing is lost, repeated, or made up."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from benchmarks.arena.standins import StandIns, serving
from emollama.arena.run import ANSWERS, run_arena, score_folder
from emollama.base.errors import EmollamaError
from emollama.endpoints.client import _completion
from emollama.manifest.sample import Manifest, read_manifest
from tests.arena.made import arena, clips, endpoint
from tests.merr.standin import stand_in

QUESTIONS = 5  # a clip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return clips(tmp_path_factory.mktemp("clips"), 4)


def test_faults_lose_nothing(made: Manifest, tmp_path: Path) -> None:
    state = StandIns.of(made, faults=0.35, late=0.6)
    with serving(state):
        one = endpoint(state.url, "voice-only", timeout=0.4, retries=20)
        result = run_arena(arena(made, tmp_path / "out", {"voice": one}))
    (row,) = result["contestants"]
    asked, answered = state.asked["voice-only"], state.served["voice-only"]
    assert row["questions"] == row["labels"] == answered == 4 * QUESTIONS
    assert row["failures"] == {}
    failed = {how: n for how, n in row["attempts"].items() if how != "ok"}
    assert sum(failed.values()) == asked - answered > 0
    told = " ".join(failed)
    assert all(how in told for how in ("429", "500", "not a chat completion", "timed out"))
    assert row["scores"]["accuracy"]["value"] == 1.0
    assert row["ablations"]["wordless"]["changed"]["value"] == 0.0


def test_a_run_that_was_killed_goes_on(made: Manifest, tmp_path: Path) -> None:
    state = StandIns.of(made)
    with serving(state):
        two = {n: endpoint(state.url, n) for n in ("first-label", "words-only")}
        config = arena(made, tmp_path / "out", two)
        whole = run_arena(config)
        path = tmp_path / "out" / ANSWERS
        lines = path.read_bytes().splitlines(keepends=True)
        assert len(lines) == 2 * 4 * QUESTIONS
        path.write_bytes(b"".join(lines[:13]) + lines[13][:20])
        assert score_folder(tmp_path / "out")["contestants"][0][
            "failures"
        ]  # a killed one is scored
        state.asked.clear()
        again = run_arena(config)
        assert sum(state.asked.values()) == 2 * 4 * QUESTIONS - 13
        state.asked.clear()
        more = arena(made, tmp_path / "out", {**two, "random": endpoint(state.url, "random")})
        run_arena(more)
        assert state.asked == {"random": 4 * QUESTIONS}
    for row in (*whole["contestants"], *again["contestants"]):
        row.pop("seconds")
    assert whole == again
    first = next(r for r in whole["contestants"] if r["name"] == "first-label")
    assert first["places"]["first"]["value"] == 1.0 and first["order"]["value"] > 0
    assert first["wording"]["value"] == 0.0


def test_a_failure_never_becomes_a_label(made: Manifest, tmp_path: Path) -> None:
    def behave(text: str, count: int) -> str:
        if "Sentence 1" in text:
            return "500"
        return "text:a banana" if "Sentence 2" in text else "text:I think it is happy."

    with stand_in(behave) as server:
        one = endpoint(server.url, "tiny", retries=0, concurrency=1)
        config = arena(made, tmp_path / "out", {"odd": one}, ablations=[], orders=1)
        result = run_arena(config)
        asked = sum(server.asked.values())
        run_arena(config)
        assert sum(server.asked.values()) - asked == 2  # without an answer, and nothing else
    (row,) = result["contestants"]
    assert row["failures"] == {"no answer": 2, "no label named": 2}
    assert row["scores"]["accuracy"] == {
        **row["scores"]["accuracy"], "value": 0.25, "n_scored": 4, "parse_failures": 2,
    }  # fmt: skip


def test_broken_json_is_asked_for_again(made: Manifest, tmp_path: Path) -> None:
    def behave(text: str, count: int) -> str:
        whole = '```json\n{"emotion": "sad", "scores": 3}```'
        return f"text:{whole}" if count else 'text:{"emotion": "sa'

    with stand_in(behave) as server:
        one = endpoint(server.url, "tiny", answers="scores", retries=1)
        result = run_arena(arena(made, tmp_path / "out", {"json": one}, ablations=[]))
    (row,) = result["contestants"]
    assert row["labels"] == row["questions"] == 12
    assert row["attempts"] == {"not the JSON that was asked for": 12, "ok": 12}
    schema = server.bodies[0]["response_format"]["json_schema"]["schema"]
    assert sorted(schema["properties"]["emotion"]["enum"]) == ["angry", "happy", "neutral", "sad"]


def test_a_server_that_is_down_ends_the_run(made: Manifest, tmp_path: Path) -> None:
    with stand_in(lambda text, count: "500") as server:
        config = arena(made, tmp_path / "out", {"down": endpoint(server.url, "x", retries=0)})
        with pytest.raises(EmollamaError, match=r"contestants\.down\.url: .* does not answer"):
            run_arena(config)
    with stand_in(lambda text, count: "401") as server:
        config = arena(made, tmp_path / "out", {"shut": endpoint(server.url, "x")})
        with pytest.raises(EmollamaError, match=r"contestants\.shut\.url: .* refuses every"):
            run_arena(config)


def test_everybody_is_asked_the_same(made: Manifest, tmp_path: Path) -> None:
    state = StandIns.of(made)
    with serving(state):
        two = {n: endpoint(state.url, "random") for n in ("a", "b")}
        run_arena(arena(made, tmp_path / "out", two))
    rows = [json.loads(line) for line in (tmp_path / "out" / ANSWERS).read_text().splitlines()]
    keyed = [{(r["id"], r["prompt"], r["order"], r["ablation"]): r["text"] for r in rows
              if r["contestant"] == name} for name in two]  # fmt: skip
    assert keyed[0] == keyed[1] and len(keyed[0]) == 4 * QUESTIONS


def test_answers_are_of_the_configuration(made: Manifest, tmp_path: Path) -> None:
    """Another model under the same name, and the first again: never the other one's answers."""
    out = tmp_path / "out"
    with stand_in(lambda text, count: "text:happy") as server:
        first, second = ({"x": endpoint(server.url, model)} for model in ("one", "two"))
        run_arena(arena(made, out, first))
        server.behave = lambda text, count: "401" if len(server.bodies) > 28 else "text:sad"
        with pytest.raises(EmollamaError, match="refuses every"):
            run_arena(arena(made, out, second))
        (row,) = score_folder(out)["contestants"]
        assert 0 < row["labels"] < row["questions"] and row["failures"]["no answer"]
        server.asked.clear()
        (row,) = run_arena(arena(made, out, first))["contestants"]
        assert not server.asked and row["labels"] == row["questions"]
    labels = [
        json.loads(x)["label"] for x in (out / "predictions.jsonl").read_text().splitlines()[1:]
    ]
    assert set(labels) == {"happy"}


@pytest.mark.parametrize("fault", ["400", "500", "unreadable"])
def test_one_bad_clip_ends_nothing(made: Manifest, tmp_path: Path, fault: str) -> None:
    folder = tmp_path / "clips"
    shutil.copytree(made.path.parent, folder)
    if fault == "unreadable":
        (folder / "0.mp4").write_bytes(b"no film")
    bad = lambda text: "Sentence 0" in text and fault != "unreadable"  # noqa: E731
    with stand_in(lambda text, count: fault if bad(text) else "text:happy") as server:
        one = endpoint(server.url, "tiny", retries=0, concurrency=1)
        config = arena(read_manifest(folder / made.path.name), tmp_path / "out", {"x": one},
                       ablations=["mute"], orders=4)  # fmt: skip
        (row,) = run_arena(config)["contestants"]
    assert (row["questions"], row["labels"]) == (24, 18)


def test_a_key_is_nowhere(
    made: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setenv("ARENA_TEST_KEY", "sk-secret-1")
    with stand_in(lambda text, count: "text:sad, said sk-secret-1") as server:
        one = endpoint(server.url, "tiny", key_env="ARENA_TEST_KEY")
        run_arena(arena(made, tmp_path / "out", {"x": one}, ablations=[]))
    files = [path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert b"said ***" in b"".join(files) and b"sk-secret" not in b"".join(files)


@pytest.mark.parametrize("count", ["1e999", "NaN", "-3", "9" * 400, "true", '"5"', "[]"])
def test_tokens_that_nobody_counted(count: str) -> None:
    body = (
        f'{{"choices": [{{"message": {{"content": "a"}}}}], "usage": {{"prompt_tokens": {count}}}}}'
    )
    reply = _completion(body.encode())
    assert (reply.text, reply.tokens_in) == ("a", 0)
