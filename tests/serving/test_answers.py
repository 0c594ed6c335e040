"""What the server answers: the numbers of the session, in OpenAI's form and in our own."""

from __future__ import annotations

import base64
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import openai
import pytest

from emollama.session import Sampling, Session, Turn
from emollama.session.describing import with_description
from tests.features.made import voice
from tests.serving.running import Running
from tests.session.made import learned_to_describe, made_calibration

QUESTION = "Which emotion does the voice tell of?"


@pytest.fixture
def official(server: Running) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.address}/v1", api_key="unused", max_retries=0)


def about(file_id: str, question: str = QUESTION) -> list[dict]:
    return [
        {
            "role": "user",
            "content": [
                {"type": "file", "file": {"file_id": file_id}},
                {"type": "text", "text": question},
            ],
        }
    ]


def test_the_official_client_uploads_asks_and_streams(
    official: openai.OpenAI, session: Session, clip: Path
) -> None:
    assert [m.id for m in official.models.list()] == [session.name]
    uploaded = official.files.create(file=clip, purpose="user_data")
    assert uploaded.filename == "voice.wav" and uploaded.bytes == clip.stat().st_size
    more = {"text": "They broke it."}
    whole = official.chat.completions.create(
        model=session.name, messages=about(uploaded.id), max_tokens=24, extra_body=more
    )
    look = session.look(clip, "They broke it.")
    expected = "".join(session.ask(look, [Turn("user", QUESTION)], Sampling(max_new_tokens=24)))
    assert whole.choices[0].message.content == expected.strip()
    assert whole.usage is not None and whole.usage.completion_tokens <= 24
    # The answer as it came is a turn of the next question.
    turns = [
        *about(uploaded.id),
        whole.choices[0].message,
        {"role": "user", "content": "Is he sad?"},
    ]
    second = official.chat.completions.create(
        model=session.name, messages=turns, max_tokens=24, extra_body=more
    )
    said = [Turn("user", QUESTION), Turn("assistant", whole.choices[0].message.content)]
    expected_second = session.ask(
        look, [*said, Turn("user", "Is he sad?")], Sampling(max_new_tokens=24)
    )
    assert second.choices[0].message.content == "".join(expected_second).strip()
    stream = official.chat.completions.create(
        model=session.name, messages=about(uploaded.id), max_tokens=24, stream=True,
        stream_options={"include_usage": True}, extra_body=more,
    )  # fmt: skip
    chunks = list(stream)
    pieces = [c.choices[0].delta.content or "" for c in chunks if c.choices]
    assert "".join(pieces) == expected
    assert chunks[-1].usage == whole.usage
    assert official.files.retrieve(uploaded.id).id == uploaded.id
    assert official.files.delete(uploaded.id).deleted
    assert uploaded.id not in {f.id for f in official.files.list()}
    with pytest.raises(openai.NotFoundError):
        official.chat.completions.create(model=session.name, messages=about(uploaded.id))


def test_a_data_url_is_the_same_clip(server: Running, session: Session, clip: Path) -> None:
    url = "data:audio/wav;base64," + base64.b64encode(clip.read_bytes()).decode()
    part = {"type": "video_url", "video_url": {"url": url}}
    body = {"messages": [{"role": "user", "content": [part]}], "max_tokens": 8}
    by_url = server.client.post("/v1/chat/completions", json=body).json()
    asked = about(server.upload(clip), session.question("reason"))
    by_id = server.client.post(
        "/v1/chat/completions", json={"messages": asked, "max_tokens": 8}
    ).json()
    assert by_url["choices"] == by_id["choices"]
    assert by_url["usage"]["prompt_tokens_details"]["cached_tokens"] > 0


def test_emotion_tells_all_that_there_is(
    server: Running, session: Session, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_at = session.look_at
    slow = lambda seen, *more: look_at(replace(seen, took=100.0), *more)  # noqa: E731
    monkeypatch.setattr(session, "look_at", slow)
    answer = server.client.post(
        "/v1/emotion",
        files={"file": ("clip.wav", clip.read_bytes())},
        data={"text": "They broke it."},
    )
    assert answer.status_code == 200, answer.text
    found = answer.json()
    expected = session.answer(session.look(clip, "They broke it."), explain=False)
    assert found["label"] == expected.label and found["channels"] == ["voice", "words"]
    scores = {row["label"]: row["score"] for row in found["labels"]}
    assert scores == pytest.approx(expected.scores, abs=1e-4)
    shares = found["weights"]
    assert sum(shares["channels"].values()) == pytest.approx(
        shares["with_all"] - shares["with_none"], abs=1e-5
    )
    assert isinstance(found["reason"], str) and found["text_source"] == "given"
    assert found["seconds"] > 100, "decoding is not counted"
    assert found["clues"]["voice"] == expected.clues["voice"]
    assert found["duration"] == pytest.approx(1.2, abs=0.01)


def test_a_channel_left_out_and_other_labels_change_the_answer(server: Running, clip: Path) -> None:
    data = {"file_id": server.upload(clip), "text": "Fine.", "reason": "false"}

    def ask(**more: object) -> dict:
        answer = server.client.post("/v1/emotion", data={**data, **more})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    whole, part = ask(), ask(drop="voice")
    assert part["channels"] == ["words"] and part["labels"] != whole["labels"]
    assert whole["reason"] is None
    assert {r["label"] for r in ask(labels=["calm", "bored"])["labels"]} == {"calm", "bored"}


def test_sets_of_labels_need_a_calibration(
    server: Running, session: Session, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = {"file_id": server.upload(clip), "text": "Fine.", "reason": "false", "weights": "false"}
    ask = lambda **more: server.client.post("/v1/emotion", data={**data, **more})  # noqa: E731
    refused = ask(coverage="0.9")
    assert refused.status_code == 400 and refused.json()["error"]["param"] == "coverage"
    assert "was not calibrated" in refused.json()["error"]["message"]
    assert ask(coverage="1.5").status_code == 422 and ask().json()["label_set"] is None
    monkeypatch.setattr(session, "calibration", made_calibration(session.labels))
    found = ask(coverage="0.9").json()
    assert found["coverage"] == 0.9 and found["undecided"] is True
    assert set(found["label_set"]) == {row["label"] for row in found["calibrated"]}
    assert found["label_set"][0] == found["label"]


def test_words_of_any_vocabulary_are_listed_by_a_model_that_learned_it(
    server: Running, session: Session, clip: Path
) -> None:
    data = {"file_id": server.upload(clip), "text": "Fine.", "reason": "false", "weights": "false"}
    ask = lambda **more: server.client.post("/v1/emotion", data={**data, **more})  # noqa: E731
    refused = ask(describe="true")
    error = refused.json()["error"]
    assert (refused.status_code, error["param"]) == (400, "describe")
    assert "did not learn to describe" in error["message"] and "\n" not in error["message"]
    with learned_to_describe(session.folder):
        found, without = ask(describe="true").json(), ask().json()
    look = session.look(clip, "Fine.")
    expected = with_description(session.artefact, look, session.answer(look, explain=False))
    assert expected.described and found["described"] == list(expected.described)
    assert without["described"] is None and found["labels"] == without["labels"]


def test_label_questions_that_wait_are_answered_together(
    server: Running, session: Session, tmp_path: Path
) -> None:
    ids = []
    for i in range(6):
        voice(tmp_path / f"{i}.wav", 120 + 20 * i, 1.0)
        ids.append(server.upload(tmp_path / f"{i}.wav"))

    def ask(file_id: str) -> dict[str, float]:
        data = {"file_id": file_id, "reason": "false", "weights": "false"}
        answer = server.client.post("/v1/emotion", data=data)
        assert answer.status_code == 200, answer.text
        return {row["label"]: row["score"] for row in answer.json()["labels"]}

    alone = [ask(i) for i in ids]
    batches = server.app.state.engine.batches
    batches.clear()
    with ThreadPoolExecutor(12) as pool:
        together = list(pool.map(ask, ids * 2))
    for one, other in zip(together, alone * 2, strict=True):
        assert one == pytest.approx(other, abs=1e-5)
    assert sum(batches) == 12 and len(batches) < 12


def test_all_questions_of_a_request_are_one_batch(server: Running, clip: Path) -> None:
    # The clip with both of its channels, and with each alone.
    data = {"file_id": server.upload(clip), "text": "So.", "reason": "false", "weights": "false"}
    batches = server.app.state.engine.batches
    batches.clear()
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # the engine's thread wakes as soon as it can
    try:
        for _ in range(8):
            answer = server.client.post("/v1/emotion", data=data)
            assert sorted(answer.json()["alone"]) == ["voice", "words"]
    finally:
        sys.setswitchinterval(before)
    assert list(batches) == [3] * 8


def test_events_end_with_done_and_name_their_reason(server: Running, clip: Path) -> None:
    body = {"messages": about(server.upload(clip)), "stream": True, "max_tokens": 3}
    with server.client.stream("POST", "/v1/chat/completions", json=body) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line.removeprefix("data: ") for line in answer.iter_lines() if line]
    assert lines[-1] == "[DONE]"
    assert json.loads(lines[-2])["choices"][0]["finish_reason"] in ("length", "stop")


def test_health_and_names(server: Running, session: Session) -> None:
    assert server.client.get("/healthz").json() == {
        "status": "ok", "model": session.name, "in_hand": 0,
    }  # fmt: skip
    assert server.client.get(f"/v1/models/{session.name}").json()["labels"] == [*session.labels]
    assert server.client.get("/v1/models/other").status_code == 404
