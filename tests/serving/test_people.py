"""Clips measured against a person over HTTP: by uploads, or by name where that is allowed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from emollama.inputs.stored_people import people_folder, save_person
from emollama.serving.settings import Settings
from emollama.session import Sampling, Session, Turn, open_session
from tests.features.made import voice
from tests.serving.running import Running, running
from tests.session.made import tiny_artefact
from tests.session.people_made import llm_of_people, people_clips

SETTINGS = Settings(port=0, watchers=1, max_seconds=20, max_bytes=1 << 20, watch_seconds=60)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return open_session(llm_of_people(tmp_path_factory.mktemp("tiny")), "float32", describe=False)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    return people_clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def private(session: Session, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(session, tmp_path_factory.mktemp("uploads"), SETTINGS) as found:
        yield found


@pytest.fixture(scope="module")
def ids(private: Running, clips: dict[str, list[Path]]) -> list[str]:
    return [private.upload(path) for path in clips["low"]]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emollama.inputs.stored_people.asset_home", lambda: tmp_path / "home")


def emotion(server: Running, **form: Any) -> Any:
    form = {"text": "", "reason": "false", "weights": "false", **form}
    return server.client.post("/v1/emotion", data=form)


def refused(answer: Any, status: int) -> str:
    assert answer.status_code == status, answer.text
    message = str(answer.json()["error"]["message"])
    assert "/" not in message.replace("/v1/", "") and "\n" not in message
    return message


def test_enrolled_uploads_give_the_sessions_numbers(
    private: Running, session: Session, clips: dict[str, list[Path]], ids: list[str]
) -> None:
    looks = [session.look(path, "") for path in clips["low"]]
    person = session.enrol(looks[1:])
    plain = emotion(private, file_id=ids[0]).json()
    found = emotion(private, file_id=ids[0], enrol=ids[1:]).json()
    assert plain["person"] is None and found["person"]["clips"] == 3
    assert "measured against 3 clips of this person" in found["notes"]
    expected = session.answer(session.known_as(looks[0], person), explain=False).scores
    assert {x["label"]: x["score"] for x in found["labels"]} == pytest.approx(expected, abs=1e-5)
    neutral = emotion(private, file_id=ids[0], enrol=ids[1:], enrol_neutral="true").json()
    assert neutral["labels"] != found["labels"] != plain["labels"]
    with clips["low"][0].open("rb") as file:
        once = private.client.post(
            "/v1/emotion", files={"file": file},
            data={"text": "", "reason": "false", "weights": "false", "enrol": ids[1:]},
        ).json()  # fmt: skip
    assert once["labels"] == found["labels"]
    assert not people_folder().exists()


def test_a_chat_is_about_the_measured_clip(
    private: Running, session: Session, clips: dict[str, list[Path]], ids: list[str]
) -> None:
    part = {"type": "file", "file": {"file_id": ids[0]}}
    question = {"type": "text", "text": "Why?"}
    body = {"messages": [{"role": "user", "content": [part, question]}], "max_tokens": 8,
            "text": "", "enrol": ids[1:]}  # fmt: skip
    answer = private.client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    looks = [session.look(path, "") for path in clips["low"]]
    known = session.known_as(looks[0], session.enrol(looks[1:]))
    expected = "".join(session.ask(known, [Turn("user", "Why?")], Sampling(max_new_tokens=8)))
    assert answer.json()["choices"][0]["message"]["content"] == expected.strip()
    body["person"] = "ann"
    assert "not both" in refused(private.client.post("/v1/chat/completions", json=body), 400)


def test_mistakes_are_refused_in_words(
    private: Running, clips: dict[str, list[Path]], ids: list[str], tmp_path: Path
) -> None:
    ask = {"file_id": ids[0]}
    assert "not both" in refused(emotion(private, **ask, enrol=ids[1:], person="ann"), 400)
    assert "enrol_neutral" in refused(emotion(private, **ask, enrol_neutral="true"), 400)
    gone = "file-" + "0" * 32
    assert gone in refused(emotion(private, **ask, enrol=[ids[1], gone]), 404)
    assert "no such file id" in refused(emotion(private, **ask, enrol=["../../etc/passwd"]), 404)
    voice(tmp_path / "silence.wav", 0, 1.2)
    mute = private.upload(tmp_path / "silence.wav")
    assert mute in refused(emotion(private, **ask, enrol=[ids[1], mute]), 422)
    other = private.upload(clips["high"][0])
    found = emotion(private, **ask, enrol=[*ids[1:], other]).json()
    assert any(note.startswith(f"{other}: the voice, or how it was") for note in found["notes"])


def test_stored_people_are_served_only_if_the_server_says_so(
    private: Running, session: Session, clips: dict[str, list[Path]], ids: list[str],
    tmp_path: Path,
) -> None:  # fmt: skip
    looks = [session.look(path, "") for path in clips["low"]]
    person = session.enrol(looks[1:])
    save_person(person, "ann")
    message = refused(emotion(private, file_id=ids[0], person="ann"), 403)
    assert "start the server with --people" in message
    with running(session, tmp_path / "uploads", replace(SETTINGS, people=True)) as server:
        clip = server.upload(clips["low"][0])
        found = emotion(server, file_id=clip, person="ann").json()
        assert found["person"]["name"] == "ann" and found["person"]["clips"] == 3
        expected = session.answer(session.known_as(looks[0], person), explain=False).scores
        scores = {x["label"]: x["score"] for x in found["labels"]}
        assert scores == pytest.approx(expected, abs=1e-4)
        # Who else is stored is told to nobody.
        message = refused(emotion(server, file_id=clip, person="anne"), 404)
        assert message == "no person 'anne' is stored"
        refused(emotion(server, file_id=clip, person=".."), 400)
        save_person(replace(person, prior="0" * 16), "old")
        message = refused(emotion(server, file_id=clip, person="old"), 422)
        assert "enrolled with another model" in message
        (people_folder() / "bad.safetensors").write_bytes(b"no")
        assert "damaged" in refused(emotion(server, file_id=clip, person="bad"), 422)


def test_a_model_that_measures_nobody_says_so(clips: dict[str, list[Path]], tmp_path: Path) -> None:
    plain = open_session(tiny_artefact(tmp_path / "plain"), "float32", describe=False)
    with running(plain, tmp_path / "uploads", SETTINGS) as server:
        file_id = server.upload(clips["low"][0])
        message = refused(emotion(server, file_id=file_id, enrol=[file_id]), 400)
        assert "does not measure people" in message
