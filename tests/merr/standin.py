"""A server that speaks OpenAI's chat completions, and misbehaves as it is told."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

from benchmarks.listening import listening

Behaviour = Callable[[str, int], str]
"""(last user text, how often this prompt has come, from 0) to what the server does: "answer",
"429", "500", "400", "echo" (400, with the request's key in the body), "broken body", "broken json",
"disconnect", or "text:..." for that answer. A request is open until this returns."""


class StandIn:
    """What came in, and what went out.

    Attributes:
        served: 200 answers by prompt; the server's own account of what was annotated.
        asked: requests by prompt.
        tokens: (in, out) of all 200 answers that were whole.
        most: requests that were open at one time.
    """

    def __init__(self, behave: Behaviour) -> None:
        self.behave = behave
        self.lock = threading.Lock()
        self.asked: Counter[str] = Counter()
        self.served: Counter[str] = Counter()
        self.tokens = [0, 0]
        self.open = self.most = 0
        self.bodies: list[dict[str, Any]] = []
        self.url = ""


@contextmanager
def stand_in(behave: Behaviour | None = None, keeps: float | None = None) -> Iterator[StandIn]:
    """A server that closes connections on which nothing has come for `keeps` seconds."""
    state = StandIn(behave or (lambda text, count: "answer"))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = keeps

        def log_message(self, *args: object) -> None:
            del args

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            prompt = json.dumps(body["messages"], sort_keys=True)
            with state.lock:
                count = state.asked[prompt]
                state.asked[prompt] += 1
                state.bodies.append(body)
                state.open += 1
                state.most = max(state.most, state.open)
            what = state.behave(_text(body), count)
            with state.lock:
                state.open -= 1
            self.respond(body, prompt, what)

        def respond(self, body: dict[str, Any], prompt: str, what: str) -> None:
            if what == "disconnect":
                self.close_connection = True
                self.connection.close()
                return
            if what == "echo":
                key = self.headers["Authorization"]
                self.send(400, json.dumps({"error": f"wrong: {key}"}).encode())
                return
            if what.isdecimal():
                self.send(int(what), b'{"error": "as told"}')
                return
            content = what.removeprefix("text:") if what.startswith("text:") else _reason(body)
            if what == "broken json":
                content = '{"emotion": "happy", "reason": "cut o'
            used = {"prompt_tokens": len(prompt) // 4, "completion_tokens": len(content) // 4}
            data = json.dumps(
                {"choices": [{"message": {"content": content}}], "usage": used}
            ).encode()
            if what == "broken body":
                self.send(200, data[: len(data) // 2])
                return
            with state.lock:
                state.served[prompt] += 1
                state.tokens[0] += used["prompt_tokens"]
                state.tokens[1] += used["completion_tokens"]
            self.send(200, data)

        def send(self, status: int, data: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            if status == 429:
                self.send_header("Retry-After", "0.01")
            self.end_headers()
            self.wfile.write(data)

    with listening(Handler) as url:
        state.url = f"{url}/v1"
        yield state


def _text(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"])


def _reason(body: dict[str, Any]) -> str:
    """A reason for the label that the prompt gives, or a description."""
    first = str(body["messages"][1]["content"])
    if 'to show the emotion "' not in first:
        return '{"description": "A person in front of a plain wall."}'
    label = first.split('to show the emotion "', 1)[1].split('"', 1)[0]
    said = first.split('The person says: "', 1)[1].split('"', 1)[0]
    reason = f'Taken together, face, voice and the words "{said}" show a person who is {label}.'
    return json.dumps({"emotion": label, "reason": reason, "contradiction": False})
