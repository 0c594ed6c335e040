"""What the client makes of servers that answer too much, too slowly, or later."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from emollama.endpoints.client import Endpoint, NoReplyError, _completion, _seconds
from tests.merr.standin import stand_in

QUESTION = [{"role": "user", "content": "?"}, {"role": "user", "content": "?"}]


def test_an_answer_that_is_too_large_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emollama.endpoints.client.LARGEST_ANSWER", 4096)
    with stand_in(lambda text, count: "answer" if count else f"text:{'long ' * 1000}") as server:
        failed: list[str] = []
        assert Endpoint("judge", server.url, "tiny", pause=0).ask(QUESTION, failed.append).text
        assert failed == ["its answer is larger than 0 MiB"]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("happy", "happy"),
        ([{"type": "text", "text": "hap"}, {"type": "text", "text": "py"}], "happy"),
        (
            [{"type": "thinking", "thinking": [{"type": "text", "text": "sad?"}]},
             {"type": "text", "text": "happy"}],
            "happy",
        ),
        ([{"type": "refusal", "refusal": "No."}, {"type": "text"}, "happy", None], ""),
        (None, ""),
    ],
)  # fmt: skip
def test_an_answer_is_a_text_or_parts_of_one(content: Any, text: str) -> None:
    message = {"role": "assistant", "content": content}
    assert _completion(json.dumps({"choices": [{"message": message}]}).encode()).text == text


class Dripping(socketserver.BaseRequestHandler):
    """Sends a byte now and then, so that no single read takes long."""

    def handle(self) -> None:
        self.request.recv(65536)
        self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        try:
            for _ in range(1000):
                self.request.sendall(b" ")
                time.sleep(0.02)
        except OSError:
            pass


def test_an_answer_that_drips_in_for_ever_is_none() -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Dripping) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        endpoint = Endpoint("judge", url, "tiny", timeout=0.3, retries=1, pause=0)
        failed: list[str] = []
        with pytest.raises(
            NoReplyError, match=r"incomplete after 0\.3 s \(the last of 2 attempts\)"
        ):
            endpoint.ask(QUESTION, failed.append)
        assert len(failed) == 2
        server.shutdown()


@pytest.mark.parametrize("proxied", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_this_machine_is_not_asked_through_a_proxy(
    monkeypatch: pytest.MonkeyPatch, proxied: str
) -> None:
    monkeypatch.setenv(proxied, "http://127.0.0.1:9")
    with stand_in(lambda text, count: "text:Yes.") as server:
        endpoint = Endpoint("judge", server.url, "tiny", retries=0)
        assert endpoint.ask(QUESTION, print).text == "Yes."


def test_a_server_says_when_to_come_back() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert 25 < _seconds(soon) < 31
    assert [_seconds(value) for value in ("1.5", "7", None, "later", "nan")] == [1.5, 7, 0, 0, 0]
    waited: list[float] = []
    with stand_in(lambda text, count: "answer" if count else "429") as server:
        endpoint = Endpoint("judge", server.url, "tiny", pause=0, sleep=waited.append)
        assert endpoint.ask(QUESTION, print).text
    assert waited == [0.01]
