"""How soon a live session answers: seconds from the end of speech to the answer, at real time.

python -m benchmarks.serving_live DATA [--model DIR] [--utterances 24] [--sessions 1]
                                  [--transcribe]

DATA holds `javased` (videos: sound, and five pictures a second) or `emodb` (sound alone). Its clips
are played one after another to `emollama serve`, with 1.2 s of silence after each, as fast as they
would be spoken; each of `--sessions` clients plays its own. The end of speech is the end of the
segment as the server tells it, less the 0.1 s that it keeps behind, on the client's clock: when the
sound of that moment was sent. `--transcribe` also writes down what is said, as
is done anyway where the model reads words. The load of the machine is printed, for others' work
counts in the seconds; the CPU seconds that the server and its processes take for an answer are
those of a quiet machine.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import tempfile
import threading
import time
from pathlib import Path
from statistics import quantiles
from typing import Any

import numpy as np
from PIL import Image
from websockets.sync.client import ClientConnection, connect

from benchmarks.measure import show
from benchmarks.serving import cpu_seconds, server
from emollama.base.errors import EmollamaError, one_line_errors
from emollama.base.quiet import quiet_libraries
from emollama.media.clip import SAMPLE_RATE, Clip
from emollama.media.decode import decode_clip

GOAL = 2.0
"""Seconds, p95, on 2 quiet cores."""
_STEP = 0.1  # seconds of sound a message
_PICTURES = 5  # a second
_SILENCE = 1.2
_KEPT_BEHIND = 0.1


@one_line_errors
def main() -> None:
    """Play, and print p50 and p95 of the seconds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", type=Path, default=Path("models/people/llm"))
    parser.add_argument("--utterances", type=int, default=24)
    parser.add_argument("--sessions", type=int, default=1)
    parser.add_argument("--transcribe", action="store_true")
    options = parser.parse_args()
    quiet_libraries()
    paths = sorted(p for p in options.data.rglob("*") if p.suffix in (".mp4", ".wav", ".flac"))
    if len(paths) < options.utterances:
        raise EmollamaError(f"{options.data}: holds {len(paths)} clips, not {options.utterances}")
    chosen = random.Random(19).sample(paths, options.utterances)
    clips = [decode_clip(path, frames=16) for path in chosen]
    waited: list[float] = []
    told: list[dict[str, Any]] = []
    load = [round(os.getloadavg()[0], 2)]
    with (
        tempfile.TemporaryDirectory() as folder,
        server(options.model, Path(folder)) as (at, process),
    ):
        address = at.replace("http:", "ws:") + "/v1/live"
        _session(address, clips[:1], options.transcribe, [], [])  # all weights are read by now
        busy = cpu_seconds(process.pid)
        threads = [
            threading.Thread(
                target=_session,
                args=(address, clips[i :: options.sessions], options.transcribe, waited, told),
            )
            for i in range(options.sessions)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        busy = cpu_seconds(process.pid) - busy
    load.append(round(os.getloadavg()[0], 2))
    cuts = quantiles(waited, n=20, method="inclusive")
    inside = [one["seconds"] for one in told]
    row = {
        "utterances": len(chosen), "answers": len(waited), "p50, s": round(cuts[9], 2),
        "p95, s": round(cuts[18], 2), "longest, s": round(max(waited), 2),
        "since its last sound, p50": round(float(np.median(inside)), 2),
        "CPU s an answer": round(busy / len(waited), 2), "sessions": options.sessions,
    }  # fmt: skip
    show("end of speech to answer", [row], goal=GOAL, load=load, transcribe=options.transcribe)


def _session(
    address: str,
    clips: list[Clip],
    transcribe: bool,
    waited: list[float],
    told: list[dict[str, Any]],
) -> None:
    sent: list[float] = []  # when each step of sound was
    with connect(address, proxy=None) as socket:
        socket.send(json.dumps({"transcribe": transcribe or None}))
        playing = threading.Thread(target=_play, args=(socket, clips, sent))
        playing.start()
        for message in socket:
            came, one = time.perf_counter(), json.loads(message)
            if one["type"] == "error":
                raise EmollamaError(one["error"]["message"])
            if one["type"] == "segment":
                end = int((one["end"] - _KEPT_BEHIND) / _STEP)
                waited.append(came - sent[min(end, len(sent) - 1)])
                told.append(one)
        playing.join()


def _play(socket: ClientConnection, clips: list[Clip], sent: list[float]) -> None:
    began = time.perf_counter()
    for clip in clips:
        assert clip.audio is not None
        quiet = np.zeros(int(_SILENCE * SAMPLE_RATE), np.float32)
        pcm = (np.concatenate([clip.audio, quiet]) * 32767).astype("<i2").tobytes()
        pictures = _jpegs(clip)
        size = round(_STEP * SAMPLE_RATE) * 2
        for i in range(0, len(pcm), size):
            time.sleep(max(0.0, began + (len(sent) + 1) * _STEP - time.perf_counter()))
            socket.send(b"s" + pcm[i : i + size].ljust(size, b"\0"))
            sent.append(time.perf_counter())
            if pictures and not len(sent) % round(1 / _STEP / _PICTURES):
                at = min(int(i / len(pcm) * len(pictures)), len(pictures) - 1)
                socket.send(b"p" + pictures[at])
    socket.send(json.dumps({"end": True}))


def _jpegs(clip: Clip) -> list[bytes]:
    made = []
    for image in () if clip.frames is None else clip.frames.images:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG")
        made.append(file.getvalue())
    return made


if __name__ == "__main__":
    main()
