"""Six endpoints with a known bias on one port, to see whether the arena finds it.

    python -m benchmarks.arena.standins people --port 7901

knows the clips of that arena. The name of the model chooses the bias: `always-happy`,
`first-label`, `last-label`, `words-only`, `voice-only`, `random`. Clips are sent as frames and
sound. What is said, and how it sounds, is looked up in the manifest's truth; where it is missing,
the answer is as good as drawn: by a hash of the request.
With `--faults .2` that share of requests ends in 429, 500, half an answer, or none in time.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from benchmarks.listening import listening
from emollama.arena.configuration import ArenaConfig
from emollama.arena.run import clips_of
from emollama.arena.sending import SAID
from emollama.base.config import load_config
from emollama.base.presets import find_preset
from emollama.manifest.sample import Manifest
from emollama.media.data_urls import wav_bytes
from emollama.media.decode import decode_clip

BIASES = ("always-happy", "first-label", "last-label", "words-only", "voice-only", "random")
FAULTS = ("429", "500", "half", "late")


@dataclass
class StandIns:
    """What the stand-ins know, and what they were asked.

    Attributes:
        labels: all labels.
        words, voices: the emotion of a text, and of a sound by the hash of its samples.
        faults: share of the requests that fail.
        late: seconds that a late answer takes.
        asked: requests by model, failed ones too; `served` are the answers.
        url: of the server.
    """

    labels: tuple[str, ...]
    words: dict[str, str]
    voices: dict[str, str]
    faults: float = 0.0
    late: float = 1.0
    asked: Counter[str] = field(default_factory=Counter)
    served: Counter[str] = field(default_factory=Counter)
    url: str = ""
    _seen: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, manifest: Manifest, faults: float = 0.0, late: float = 1.0) -> StandIns:
        """Stand-ins that know the truth of a manifest's channels."""
        words, voices = {}, {}
        for sample in manifest.samples:
            if sample.text and isinstance(sample.truth.get("words"), str):
                words[sample.text] = sample.truth["words"]
            if isinstance(sample.truth.get("voice"), str) and (sample.video or sample.audio):
                file = manifest.media(str(sample.audio or sample.video))
                sound = decode_clip(file, want_video=False).audio
                if sound is not None:
                    voices[_heard(wav_bytes(sound))] = sample.truth["voice"]
        return cls(manifest.labels.labels, words, voices, faults, late)

    def fault(self, body: bytes) -> str | None:
        """What goes wrong with this request, if anything; another time it may be answered."""
        with self._lock:
            name = hashlib.sha256(body).hexdigest()
            turn = self._seen[name]
            self._seen[name] += 1
        draw = random.Random(f"{name}/{turn}")
        return draw.choice(FAULTS) if draw.random() < self.faults else None

    def answer(self, request: dict[str, Any]) -> str:
        """The answer of the stand-in that a request names."""
        parts = request["messages"][-1]["content"]
        text = next(part["text"] for part in parts if part["type"] == "text")
        *before, question = text.split("\n")
        named = sorted(
            (found.start(), label)
            for label in self.labels
            if (found := re.search(rf"\b{re.escape(label)}\b", question))
        )
        offered = [label for _, label in named]
        drawn = random.Random(json.dumps(request, sort_keys=True)).choice(offered)
        match request["model"]:
            case "always-happy":
                return "happy"
            case "first-label":
                return offered[0]
            case "last-label":
                return offered[-1]
            case "words-only":
                said = [text for text in self.words if SAID.format(words=text) in before]
                return self.words[said[0]] if said else drawn
            case "voice-only":
                sounds = [p["input_audio"]["data"] for p in parts if p["type"] == "input_audio"]
                heard = [_heard(base64.b64decode(sound)) for sound in sounds]
                return self.voices.get(heard[0], drawn) if heard else drawn
            case _:
                return drawn


def _heard(wav: bytes) -> str:
    return hashlib.sha256(wav).hexdigest()


@contextmanager
def serving(state: StandIns, port: int = 0) -> Iterator[StandIns]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            del args

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = json.loads(body)
            with state._lock:
                state.asked[request["model"]] += 1
            fault = state.fault(body)
            if fault in ("429", "500"):
                self.send(int(fault), b"{}")
                return
            said = state.answer(request)
            used = {"prompt_tokens": len(body) // 4, "completion_tokens": 1}
            answer = {"choices": [{"message": {"content": said}}], "usage": used}
            data = json.dumps(answer).encode()
            if fault == "late":
                time.sleep(state.late)
            elif fault is None:
                with state._lock:
                    state.served[request["model"]] += 1
            self.send(200, data[: len(data) // 2] if fault == "half" else data)

        def send(self, status: int, data: bytes) -> None:
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                if status == 429:
                    self.send_header("Retry-After", "0.01")
                self.end_headers()
                self.wfile.write(data)
            except OSError:
                self.close_connection = True  # who waits no longer

    with listening(Handler, port) as url:
        state.url = f"{url}/v1"
        yield state


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("config", help="preset or YAML of the arena, whose clips are known")
    parser.add_argument("--port", type=int, default=7901)
    parser.add_argument("--faults", type=float, default=0.0)
    parser.add_argument("--late", type=float, default=5.0)
    given = parser.parse_args()
    config = load_config(ArenaConfig, find_preset("arena", given.config))
    state = StandIns.of(clips_of(config), given.faults, given.late)
    with serving(state, given.port):
        print(f"listening on {state.url}: {', '.join(BIASES)}", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(dict(state.asked), flush=True)


if __name__ == "__main__":
    main()
