"""What a vLLM server does with prompt embeddings, by transformers: for tests of our side of it."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from benchmarks.listening import listening


class Served:
    """The model of a folder, and the requests that came."""

    def __init__(self, folder: Path) -> None:
        self.root = str(folder)
        self.longest = 1024
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.asked: list[dict[str, Any]] = []
        self.url = ""

    @torch.inference_mode()
    def greedy(self, asked: dict[str, Any]) -> Iterator[tuple[int, dict[str, float]]]:
        file = io.BytesIO(base64.b64decode(asked["prompt_embeds"]))
        prompt = torch.load(file, weights_only=True)
        assert prompt.ndim == 2 and asked["temperature"] == 0
        for _ in range(asked["max_tokens"]):
            logs = self.model(inputs_embeds=prompt[None]).logits[0, -1].float().log_softmax(-1)
            token = int(logs.argmax())
            wanted = asked.get("logprob_token_ids", ())
            yield token, {f"token_id:{i}": float(logs[i]) for i in (token, *wanted)}
            if token in asked["stop_token_ids"]:
                return
            more = self.model.get_input_embeddings()(torch.tensor([token]))
            prompt = torch.cat([prompt, more])


@contextmanager
def running_vllm(folder: Path) -> Iterator[Served]:
    served = Served(folder)
    handler = type("Handler", (_Handler,), {"served": served})
    with listening(handler) as url:
        served.url = url
        yield served


class _Handler(BaseHTTPRequestHandler):
    served: Served

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        assert self.path == "/v1/models"
        row = {"id": "llm", "root": self.served.root, "max_model_len": self.served.longest}
        self._send(json.dumps({"data": [row]}))

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.path == "/v1/completions" and asked["model"] == "llm"
        self.served.asked.append(asked)
        steps = list(self.served.greedy(asked))
        if not asked.get("stream"):
            logs = {"top_logprobs": [log for _, log in steps]}
            choice = {"token_ids": [token for token, _ in steps], "logprobs": logs}
            return self._send(json.dumps({"choices": [choice]}))
        events = [{"choices": [{"text": "", "token_ids": [token]}]} for token, _ in steps]
        lines = [f"data: {json.dumps(event)}\n\n" for event in events]
        self._send("".join([*lines, "data: [DONE]\n\n"]))

    def _send(self, text: str) -> None:
        content = text.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
