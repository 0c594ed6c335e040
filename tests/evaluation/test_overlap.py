"""A judge on a real HTTP server in this process: marks, retries, cache, refusals."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from emollama.errors import EmollamaError
from emollama.evaluation.judge import RETRIES, CachedJudge, EndpointJudge, LocalJudge
from emollama.evaluation.overlap import overlap, prompt_hash, rating
from emollama.evaluation.predictions import Prediction


class Server(ThreadingHTTPServer):
    """Answers chat completions: a shared word gives 8, none gives 2; `failing` statuses first."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.failing: list[int] = []
        self.raw: bytes | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(body | {"path": self.path})
        self.server.keys.append(self.headers["Authorization"])
        status = self.server.failing.pop(0) if self.server.failing else 200
        data = (
            self.server.raw
            or json.dumps(
                {"choices": [{"message": {"role": "assistant", "content": self.answer(body)}}]}
            ).encode()
        )
        self.send_response(status)
        if status == 302:
            self.send_header("Location", self.server.url + "/elsewhere")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def answer(self, body: dict[str, Any]) -> str:
        text = body["messages"][0]["content"]
        if "Emotions:" in text:
            return "joy" if "smile" in text else "grief"
        one, two = (set(x.lower().split()) for x in re.findall(r"\n(?:.+?): (.+)\n", text)[-2:])
        if "mumble" in two:
            return "I cannot say."
        return "8. Alike." if one & two else "2 - not alike"

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def row(name: str, reference: str, reason: str | None) -> Prediction:
    return Prediction(id=name, reference_reason=reference, reason=reason)


ROWS = [
    row("a", "a wide smile", "his smile is wide"),
    row("b", "tears", "he laughs"),
    row("c", "tears", None),
    row("d", "tears", "mumble"),
]


def test_marks_are_averaged_and_what_cannot_be_marked_is_counted(
    server: Server, tmp_path: Path
) -> None:
    judge = CachedJudge(EndpointJudge("tiny", server.url, "secret", pause=0), tmp_path)
    measure = overlap(ROWS, judge, "clue")
    assert measure.value() == 5 and len(measure.rows) == 2 and measure.n_total == 4
    assert measure.failures == {"no rating in the judge's answer": 1, "no reason": 1}
    assert measure.detail == {
        "judge": "tiny", "prompt_hash": prompt_hash("clue"), "temperature": 0,
    }  # fmt: skip
    first = server.asked[0]
    assert (first["model"], first["temperature"]) == ("tiny", 0)
    assert first["path"] == "/v1/chat/completions" and server.keys[0] == "Bearer secret"
    asked = len(server.asked)
    assert overlap(ROWS, judge, "clue").value() == 5 and len(server.asked) == asked == 3
    kept = [p.read_text() for p in tmp_path.rglob("*.json")]
    assert len(kept) == 3 and not any("secret" in x or server.url in x for x in kept)
    other = CachedJudge(EndpointJudge("other", server.url), tmp_path)
    overlap(ROWS[:1], other, "clue")
    assert len(server.asked) == 4, "another judge's answers are not this one's"


def test_labels_are_compared_as_words(server: Server) -> None:
    measure = overlap(ROWS[:2], CachedJudge(EndpointJudge("tiny", server.url), None), "label")
    # a: joy, joy; b: grief, grief.
    assert measure.value() == 8 and len(server.asked) == 6
    assert measure.detail["prompt_hash"] == prompt_hash("label") != prompt_hash("clue")


def test_retries_are_bounded(server: Server) -> None:
    judge = EndpointJudge("tiny", server.url, pause=0)
    server.failing = [503, 429]
    assert judge.ask("Emotions: smile") == "joy" and len(server.asked) == 3
    server.failing = [500] * 9
    with pytest.raises(EmollamaError, match="does not answer: status 500"):
        judge.ask("Emotions:")
    assert len(server.asked) == 3 + RETRIES
    server.failing = [401]
    with pytest.raises(EmollamaError, match="status 401"):
        judge.ask("Emotions:")
    server.failing = [302]
    with pytest.raises(EmollamaError, match="status 302"):
        judge.ask("Emotions:")
    assert len(server.asked) == 5 + RETRIES, "a refusal and a redirect are final"
    server.raw = b'{"choices": []}'
    with pytest.raises(EmollamaError, match="not a chat completion"):
        judge.ask("Emotions:")


def test_mistakes_are_one_line(tmp_path: Path, server: Server) -> None:
    with pytest.raises(EmollamaError, match="is not an http or https URL"):
        EndpointJudge("x", "file:///etc/passwd")
    with pytest.raises(EmollamaError, match=r"holds no config\.json"):
        LocalJudge(tmp_path)
    judge = CachedJudge(EndpointJudge("tiny", server.url), tmp_path)
    judge.ask("Emotions: smile")
    kept = next(tmp_path.rglob("*.json"))
    kept.write_text("[]")
    with pytest.raises(EmollamaError, match="remove the file"):
        judge.ask("Emotions: smile")
    server.server_close()
    with pytest.raises(EmollamaError, match="does not answer"):
        EndpointJudge("tiny", "http://127.0.0.1:1/v1", pause=0).ask("x")


@pytest.mark.parametrize(
    ("answer", "value"),
    [("7", 7), ("Rating: 7.5, since", 7.5), ("'预测分数'：6", 6), ("0", None), ("11", None),
     ("-3", None), ("none", None), ("", None)],
)  # fmt: skip
def test_rating(answer: str, value: float | None) -> None:
    assert rating(answer) == value
