"""What OpenAI's clients send beside text and files: each is answered, or told in a sentence."""

from __future__ import annotations

import base64
import enum
import json
from pathlib import Path
from typing import Literal

import numpy as np
import openai
import pytest
from PIL import Image
from pydantic import BaseModel

from emollama.serving.refusal import Refusal
from emollama.serving.shape import Shape
from emollama.session import Sampling, Session, Turn
from emollama.session.questions import told
from tests.serving.running import Running
from tests.serving.test_answers import QUESTION, about
from tests.serving.test_safe import error


@pytest.fixture
def official(server: Running) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.address}/v1", api_key="unused", max_retries=0)


def test_a_system_turn_is_read_before_the_question(
    official: openai.OpenAI, server: Running, session: Session, clip: Path
) -> None:
    more = {"text": "They broke it."}
    turns = [{"role": "system", "content": "Be brief."}, *about(server.upload(clip))]
    said = official.chat.completions.create(
        model=session.name, messages=turns, max_tokens=8, extra_body=more
    )
    look = session.look(clip, "They broke it.")
    turn = Turn("user", f"Be brief.\n{QUESTION}")
    expected = "".join(session.ask(look, [turn], Sampling(max_new_tokens=8)))
    assert said.choices[0].message.content == expected.strip()
    turns = [*about(server.upload(clip)), {"role": "system", "content": "Be brief."}]
    with pytest.raises(openai.BadRequestError, match="a system turn must be before all others"):
        official.chat.completions.create(model=session.name, messages=turns)


def test_sound_and_pictures_come_in_openais_parts(
    official: openai.OpenAI, server: Running, session: Session, clip: Path, tmp_path: Path
) -> None:
    sound = {"data": base64.b64encode(clip.read_bytes()).decode(), "format": "wav"}
    content = [{"type": "text", "text": QUESTION}, {"type": "input_audio", "input_audio": sound}]
    ask = lambda messages: official.chat.completions.create(  # noqa: E731
        model=session.name, messages=messages, max_tokens=8
    )
    heard = ask([{"role": "user", "content": content}])
    assert heard.choices == ask(about(server.upload(clip))).choices
    sent = {"filename": clip.name, "file_data": f"data:audio/wav;base64,{sound['data']}"}
    content[1] = {"type": "file", "file": sent}
    assert heard.choices == ask([{"role": "user", "content": content}]).choices
    for file, what in (
        (sent | {"file_id": "file-1"}, "either its file_id or file_data"),
        ({"file_data": 3}, "file.file_data: must be a text"),
        (sent | {"file_data": "UklG"}, "a clip must be the id of an upload"),
    ):
        with pytest.raises(openai.APIStatusError, match=what):
            ask([{"role": "user", "content": [{"type": "file", "file": file}]}])
    # This model knows voices and words alone: that a picture has neither is said of the picture.
    Image.fromarray(np.full((64, 64, 3), 128, np.uint8)).save(tmp_path / "grey.png")
    url = "data:image/png;base64," + base64.b64encode((tmp_path / "grey.png").read_bytes()).decode()
    for wanted, status, what in (
        (url, 422, "cannot be read|channel|nothing"),
        ("https://example.org/face.png", 400, "a URL is not fetched: upload the clip"),
    ):
        part = {"type": "image_url", "image_url": {"url": wanted, "detail": "high"}}
        with pytest.raises(openai.APIStatusError, match=what) as refused:
            ask([{"role": "user", "content": [part]}])
        assert refused.value.status_code == status


def test_what_is_known_is_told_and_the_model_neither_answers_nor_reads_it(
    official: openai.OpenAI, server: Running, session: Session, clip: Path
) -> None:
    file_id, more = server.upload(clip), {"text": "They broke it."}
    look = session.look(clip, "They broke it.")
    ask = lambda messages, **how: official.chat.completions.create(  # noqa: E731
        model=session.name, messages=messages, max_tokens=8, extra_body=more, **how
    )
    system = {"role": "system", "content": "You read emotions."}
    for question in ("What is said?", "How loud is it?", "Which channel?", "Who won the match?"):
        whole = ask([system, *about(file_id, question)])
        said = whole.choices[0].message.content
        assert said == told(session, look, question) and whole.usage.total_tokens == 0
    stream = ask(about(file_id, "What is said?"), stream=True,
                 stream_options={"include_usage": True})  # fmt: skip
    *chunks, last = stream
    pieces = [c.choices[0].delta.content or "" for c in chunks]
    assert "".join(pieces).startswith("“They broke it.”") and last.usage.total_tokens == 0
    before = [
        *about(file_id, "What is said?"),
        {"role": "assistant", "content": "“They broke it.”"},
    ]
    question = {"role": "user", "content": QUESTION}
    assert ask([*before, question]).choices == ask(about(file_id, QUESTION)).choices
    why = {"role": "user", "content": "Why?"}
    assert ask([*before, why]).reason_from in ("model", "both", "clues")


def test_labels_by_schema(
    official: openai.OpenAI, server: Running, session: Session, clip: Path
) -> None:
    class Mood(enum.Enum):
        calm = "calm"
        bored = "bored"

    class Seen(BaseModel):
        mood: Mood
        sure: float
        why: str

    file_id = server.upload(clip)
    found = official.chat.completions.parse(
        model=session.name, messages=about(file_id), response_format=Seen,
        extra_body={"text": "Fine."},
    )  # fmt: skip
    seen = found.choices[0].message.parsed
    answer = session.answers([session.look(clip, "Fine.")], ("calm", "bored"))[0]
    assert seen is not None and seen.mood.value == answer.label and seen.why
    assert seen.sure == pytest.approx(answer.scores[seen.mood.value], abs=1e-4)

    class Label(BaseModel):
        mood: Literal["calm", "bored"]

    schema = {"name": "seen", "schema": Label.model_json_schema(), "strict": True}
    stream = official.chat.completions.create(
        model=session.name, messages=about(file_id), stream=True, extra_body={"text": "Fine."},
        response_format={"type": "json_schema", "json_schema": schema},
    )  # fmt: skip
    told = "".join(c.choices[0].delta.content or "" for c in stream if c.choices)
    assert json.loads(told) == {"mood": answer.label}
    with pytest.raises(openai.BadRequestError, match="give type 'json_schema' with a schema"):
        official.chat.completions.create(
            model=session.name, messages=about(file_id), response_format={"type": "json_object"}
        )


@pytest.mark.parametrize(
    ("properties", "what"),
    [
        ({"age": {"type": "integer"}}, "'age' does not fit"),
        ({"a": {"enum": ["x", "y"]}, "b": {"enum": ["x", "y"]}}, "'b' does not fit"),
        ({"why": {"type": "string"}}, "no property lists labels"),
        ({"mood": {"enum": ["one"]}}, "'enum' of 'mood' must list 2 to 50"),
        ({"mood": {"enum": ["x", 3]}}, "'enum' of 'mood' must list 2 to 50"),
        (
            {
                "mood": {"enum": ["x", "y"]},
                "p": {"type": "object", "properties": {"x": {"type": "number"}}},
            },
            "'p' does not have the labels",
        ),
        (
            {"mood": {"enum": ["x", "y"]}, "p": {"type": "object", "properties": {}}},
            "'p' does not fit",
        ),
        ({"mood": {"$ref": "#/$defs/none"}}, "'mood' does not fit"),
        ({"mood": {"$ref": "https://example.org/schema"}}, "'mood' does not fit"),
    ],
)
def test_a_schema_that_does_not_fit_is_told(properties: dict, what: str) -> None:
    with pytest.raises(Refusal, match=what.replace("$", r"\$")):
        Shape.of({"type": "object", "properties": properties})


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ([{"type": "file", "file": {"file_id": "clip.mp4"}}], "no such file id: 'clip.mp4'"),
        ([{"type": "file", "file": {}}], "by either its file_id or file_data"),
        ([{"type": "sound"}], "type 'sound' is not known; types: text, "),
        ([{"type": "text"}], "messages.0.content.0.text: is missing"),
        ([], "messages.0.content: must have at least 1 item"),
        (7, "messages.0.content: must be a text"),
    ],
)
def test_what_is_wrong_is_said_in_the_requests_words(
    server: Running, content: object, what: str
) -> None:
    body = {"messages": [{"role": "user", "content": content}]}
    answer = server.client.post("/v1/chat/completions", json=body)
    assert answer.status_code in (404, 422)
    assert what in error(answer)
    assert not any(word in error(answer) for word in ("constrained", "list[", "Input"))
    odd = server.client.post("/v1/emotion", data={"file_id": "file-x", "reason": "maybe"})
    assert odd.status_code == 422 and error(odd) == "reason: must be true or false"
    for path, told_so in (("responses", "no path '/v1/responses'"), ("recordings", "--jobs DIR")):
        nothing = server.client.post(f"/v1/{path}", json={})
        assert nothing.status_code == 404 and told_so in error(nothing)
    unknown = server.client.get("/v1/files/clip.mp4")
    assert unknown.status_code == 404 and "no such file id" in error(unknown)
