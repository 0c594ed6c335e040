"""A judge on a real HTTP server in this process: marks, retries, cache, refusals."""

from __future__ import annotations

import itertools
import json
import re
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from emollama.base.errors import EmollamaError
from emollama.cli.app import app
from emollama.endpoints.judge import RETRIES, CachedJudge, EndpointJudge, LocalJudge
from emollama.manifest.labels import get_label_set
from emollama.scoring.metrics.overlap import overlap, prompt_hash, rating
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.predictions.predictions import Header, write_predictions


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


def ask(judge: EndpointJudge, prompt: str) -> str:
    """Ask without a cache."""
    return judge.reply([{"role": "user", "content": prompt}], lambda how: None).text


def row(name: str, reference: str, reason: str | None) -> Prediction:
    return Prediction(id=name, reference_reason=reference, reason=reason)


ROWS = [
    row("a", "a wide smile", "his smile is wide"),
    row("b", "tears", "he laughs"),
    row("c", "tears", None),
    row("d", "tears", "mumble"),
]


def test_marks_are_averaged_and_what_cannot_be_marked_is_counted(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGE_TEST_KEY", "secret")
    judge = CachedJudge(EndpointJudge("tiny", server.url, "JUDGE_TEST_KEY", pause=0), tmp_path)
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


def test_labels_are_compared_as_words(server: Server, tmp_path: Path) -> None:
    measure = overlap(ROWS[:2], CachedJudge(EndpointJudge("tiny", server.url), tmp_path), "label")
    # a: joy, joy; b: grief, grief.
    assert measure.value() == 8 and len(server.asked) == 6
    assert measure.detail["prompt_hash"] == prompt_hash("label") != prompt_hash("clue")


def test_retries_are_bounded(server: Server) -> None:
    judge = EndpointJudge("tiny", server.url, pause=0)
    server.failing = [503, 429]
    assert ask(judge, "Emotions: smile") == "joy" and len(server.asked) == 3
    server.failing = [500] * 9
    with pytest.raises(EmollamaError, match="does not answer: status 500"):
        ask(judge, "Emotions:")
    assert len(server.asked) == 3 + RETRIES
    server.failing = [401]
    with pytest.raises(EmollamaError, match="status 401"):
        ask(judge, "Emotions:")
    server.failing = [302]
    with pytest.raises(EmollamaError, match="status 302"):
        ask(judge, "Emotions:")
    assert len(server.asked) == 5 + RETRIES, "a refusal and a redirect are final"
    server.raw = b'{"choices": []}'
    with pytest.raises(EmollamaError, match="not a chat completion"):
        ask(judge, "Emotions:")


def test_judges_of_one_name_do_not_share_answers(server: Server, tmp_path: Path) -> None:
    """Local models by their files, servers by their address."""
    prints = []
    for number, weights in enumerate((b"a" * 5_000_000, b"b" + b"a" * 4_999_999, b"a" * 5_000_001)):
        folder = tmp_path / str(number) / "judge"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(weights)
        (folder / "README.md").write_text(str(number))
        assert LocalJudge(folder).name == "judge"
        prints.append(LocalJudge(folder).fingerprint)
    assert len(set(prints)) == 3
    (tmp_path / "0/judge/README.md").write_text("other words")
    assert LocalJudge(tmp_path / "0/judge").fingerprint == prints[0]
    (tmp_path / "0/judge/config.json").write_text("{ }")
    assert LocalJudge(tmp_path / "0/judge").fingerprint != prints[0]
    cache = tmp_path / "cache"
    CachedJudge(EndpointJudge("tiny", server.url), cache).ask("Emotions: smile")
    CachedJudge(EndpointJudge("tiny", server.url + "/chat/completions"), cache).ask(
        "Emotions: smile"
    )
    assert len(server.asked) == 1, "the same address, written in full"
    CachedJudge(EndpointJudge("tiny", server.url + "/other"), cache).ask("Emotions: smile")
    assert len(server.asked) == 2


def test_no_answer_is_not_kept(server: Server, tmp_path: Path) -> None:
    judge = CachedJudge(EndpointJudge("tiny", server.url), tmp_path)
    server.raw = b'{"choices": [{"message": {"content": null}}]}'
    assert judge.ask("Emotions: smile") == "" and not list(tmp_path.rglob("*.json"))
    nothing = {"no rating in the judge's answer": 1}
    assert overlap(ROWS[:1], judge, "label").failures == nothing
    server.raw = None
    assert judge.ask("Emotions: smile") == "joy" and len(list(tmp_path.rglob("*.json"))) == 1
    server.raw = b'{"choices": [{"message": {"content": "\\ud800 8"}}]}'
    assert judge.ask("Rate") == "? 8" == judge.ask("Rate")


class Broken(socketserver.BaseRequestHandler):
    """Answers with bytes that are no HTTP, or fewer than were promised."""

    answers = itertools.cycle(
        [b"\x00\xff\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"]
    )

    def handle(self) -> None:
        self.request.recv(65536)
        self.request.sendall(next(self.answers))


def test_a_server_that_breaks_off_is_one_line() -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), Broken) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        try:
            for _ in range(2):
                judge = EndpointJudge("x", f"http://127.0.0.1:{made.server_address[1]}", pause=0)
                with pytest.raises(EmollamaError, match=r"does not answer: .+") as error:
                    ask(judge, "Rate")
                assert "\n" not in str(error.value)
        finally:
            made.shutdown()
            thread.join()


@pytest.mark.parametrize(
    "url",
    ["http://host:port/v1", "http://[::1/v1", "http://:80/v1", "http://h/a b", "http://h/\nv1",
     "http://h/\u20ac", "http://"],
)  # fmt: skip
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(EmollamaError, match="is not an http or https URL"):
        EndpointJudge("x", url)


def test_keys_and_hosts_that_cannot_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("secret\n", "secret\u20ac"):
        monkeypatch.setenv("JUDGE_TEST_KEY", key)
        with pytest.raises(EmollamaError, match="holds a line break") as error:
            EndpointJudge("x", "http://127.0.0.1:1", "JUDGE_TEST_KEY")
        assert "secret" not in str(error.value)
    with pytest.raises(EmollamaError, match="does not answer"):
        ask(EndpointJudge("x", f"http://{'a' * 70}.invalid/v1", pause=0), "Rate")


def test_shards_ask_the_judge_and_the_merge_asks_nothing(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    write_predictions(path, Header(labels=get_label_set("mer2023")), ROWS)

    def score(*more: str, cache: str = "cache") -> str:
        words = f"score {path} --metric clue_overlap --judge-url {server.url} --judge-model tiny"
        words += f" --judge-cache {tmp_path / cache} --format json"
        done = CliRunner().invoke(app, [*words.split(), *more])
        return str(done.exception) if isinstance(done.exception, EmollamaError) else done.stdout

    whole = score(cache="whole")
    asked = len(server.asked)
    assert "shard 0/2 is done: 2 clips judged" in score("--shard", "0/2")
    assert re.search("'b': judge 'tiny' has not been asked about it", score("--merge"))
    score("--shard", "1/2")
    assert len(server.asked) == 2 * asked
    assert score("--merge") == whole and len(server.asked) == 2 * asked
    # What is compared is judged as well, so that the merge has all it needs.
    against = tmp_path / "other.jsonl"
    rows = [r.model_copy(update={"reason": f"{r.reason} too"}) for r in ROWS if r.reason]
    write_predictions(against, Header(labels=get_label_set("mer2023")), rows)
    for share in ("0/2", "1/2"):
        score("--compare", str(against), "--shard", share, "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    assert '"difference' in score("--compare", str(against), "--merge")
    plain = CliRunner().invoke(app, ["score", str(path), "--shard", "0/2"])
    assert "--shard is for what a judge is asked" in str(plain.exception)


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
        ask(EndpointJudge("tiny", "http://127.0.0.1:1/v1", pause=0), "x")


@pytest.mark.parametrize(
    ("answer", "value"),
    [("7", 7), ("Rating: 7.5, since", 7.5), ("'预测分数'：6", 6), ("0", None), ("11", None),
     ("-3", None), ("none", None), ("", None), ("Rating (1-10): 7", 7), ("7/10", 7), ("10/10", 10),
     ("On a scale of 1 to 10, I rate 8", 8), ("1. The rating is 8", None), ("8. Alike.", 8),
     ("**Rating: 8** out of 10", 8), ("Rating (1 = nothing, 10 = the same): 7", 7), ("7-8", None),
     ("I rate it 6, since 3 of 4 clues agree", 6), ("2 clues are shared, so 7", None),
     ("7, for 3 of 5 clues", 7), ("1-10", None), ("Rating: 11", None), ("1", 1),
     ("Rating: 7\n\n2 clues are shared", 7), ("8\n- 2 clues are shared", 8)],
)  # fmt: skip
def test_rating(answer: str, value: float | None) -> None:
    assert rating(answer) == value
