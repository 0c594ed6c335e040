"""The espeak-ng process: JSON requests on stdin, PCM on stdout.

espeak-ng is GPL-3, so it is never loaded into our own processes: this file runs as a separate
program, imports nothing from emollama, and is reached through pipes only. Each request is one line,
`{"voice", "text", "rate", "pitch", "range"}`; each answer is one JSON line `{"rate": hertz,
"samples": n}` followed by n signed 16-bit little-endian samples, or `{"error": "..."}`.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from typing import Any

_SYNCHRONOUS = 2
_UTF8 = 1
_PARAMETERS = {"rate": 1, "pitch": 3, "range": 4}


class Engine:
    """espeak-ng through ctypes, in synchronous mode."""

    def __init__(self) -> None:
        import espeakng_loader

        self._chunks: list[bytes] = []
        callback_type = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
        )
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = str(espeakng_loader.get_data_path()).encode()
        self.rate = int(self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, 0))
        if self.rate <= 0:
            raise RuntimeError("espeak-ng does not start: its data files were not found")
        self._callback = callback_type(self._receive)  # kept: C holds a bare pointer to it
        self._library.espeak_SetSynthCallback(self._callback)

    def _receive(self, samples: Any, count: int, _events: Any) -> int:
        if samples and count > 0:
            self._chunks.append(ctypes.string_at(samples, 2 * count))
        return 0

    def speak(self, request: dict[str, Any]) -> bytes:
        """Signed 16-bit mono samples of `request["text"]`."""
        self._chunks.clear()
        voice = str(request["voice"])
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise RuntimeError(f"espeak-ng has no voice '{voice}'")
        for name, number in _PARAMETERS.items():
            self._library.espeak_SetParameter(number, int(request[name]), 0)
        text = str(request["text"]).encode()
        done = self._library.espeak_Synth(
            text, ctypes.c_size_t(len(text) + 1), 0, 1, 0, _UTF8, None, None
        )
        if done != 0 or not self._chunks:
            raise RuntimeError("espeak-ng made no sound")
        return b"".join(self._chunks)


def main() -> None:
    """Answer requests until stdin closes."""
    out = sys.stdout.buffer
    try:
        engine = Engine()
    except (ImportError, OSError, RuntimeError) as error:
        out.write((json.dumps({"error": str(error)}) + "\n").encode())
        out.flush()
        return
    out.write((json.dumps({"ready": True}) + "\n").encode())
    out.flush()
    for line in sys.stdin.buffer:
        if not hasattr(os, "fork"):
            _answer(engine, line)
            continue
        # The library keeps state from one utterance to the next. A child forked from the fresh
        # engine always starts the same, so that a request alone decides its samples.
        child = os.fork()
        if child == 0:
            _answer(engine, line)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status != 0:
            out.write((json.dumps({"error": "espeak-ng crashed"}) + "\n").encode())
            out.flush()


def _answer(engine: Engine, line: bytes) -> None:
    """Write the answer to one request."""
    try:
        pcm = engine.speak(json.loads(line))
        head: dict[str, Any] = {"rate": engine.rate, "samples": len(pcm) // 2}
    except (RuntimeError, KeyError, ValueError) as error:
        pcm, head = b"", {"error": str(error)}
    sys.stdout.buffer.write((json.dumps(head) + "\n").encode() + pcm)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
