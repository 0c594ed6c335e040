"""Emotional speech: espeak-ng in its own process, then loudness and brightness.

espeak-ng (GPL-3, package espeakng-loader) is an optional extra; see `espeak_process`.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.probe.cast import Voice
from emollama.probe.emotions import Prosody

PITCH_UNITS_PER_SEMITONE = 5.7
"""Steps of espeak-ng's pitch parameter in a semitone, measured over its voices at 30 to 75."""

NEUTRAL_RMS = 0.06
"""Level of neutral speech, full scale 1.0; leaves room for the loudest emotion."""

_QUIET = 0.001  # a sample below this is silence
_TAPS = 9  # about 0.4 ms at 22 kHz: what it smooths away is the bright part


def require_espeak() -> None:
    """Raise an `EmollamaError` with the install command if espeak-ng is missing."""
    if importlib.util.find_spec("espeakng_loader") is None:
        raise EmollamaError(
            "espeakng-loader is not installed, but the probe corpus needs it to speak; "
            "run `pip install espeakng-loader` or `pip install 'emollama[synth]'`"
        )


class Speaker:
    """A running espeak-ng process; use as a context manager."""

    def __init__(self) -> None:
        require_espeak()
        program = Path(__file__).with_name("espeak_process.py")
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._read_head()

    def __enter__(self) -> Speaker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(timeout=10)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def speak(self, voice: Voice, text: str, prosody: Prosody) -> tuple[np.ndarray, int]:
        """Say `text`: float32 [n] in -1..1 without silence at either end, and its sampling rate."""
        request = {
            "voice": voice.name,
            # Final marks would bend the melody and tell the words' emotion through the voice.
            "text": text.rstrip(".!?") + ".",
            "pitch": _parameter(voice.pitch + PITCH_UNITS_PER_SEMITONE * prosody.pitch),
            "rate": int(np.clip(round(voice.rate * (1 + prosody.rate)), 80, 400)),
            "range": _parameter(voice.range * (1 + prosody.range)),
        }
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        try:
            stdin.write((json.dumps(request) + "\n").encode())
            stdin.flush()
        except BrokenPipeError as error:
            raise EmollamaError("espeak-ng ended unexpectedly") from error
        head = self._read_head()
        pcm = np.frombuffer(stdout.read(2 * int(head["samples"])), dtype="<i2")
        return _level(_trim(pcm.astype(np.float32) / 32768.0), prosody.loudness), int(head["rate"])

    def _read_head(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        head = json.loads(line) if line else {"error": "it ended unexpectedly"}
        if "error" in head:
            raise EmollamaError(f"espeak-ng: {head['error']}")
        return dict(head)


def _parameter(value: float) -> int:
    return int(np.clip(round(value), 0, 99))


def _trim(samples: np.ndarray) -> np.ndarray:
    loud = np.flatnonzero(np.abs(samples) > _QUIET)
    return samples[loud[0] : loud[-1] + 1] if loud.size else samples


def _level(samples: np.ndarray, decibels: float) -> np.ndarray:
    """Set the level; vocal effort also tilts the spectrum, so loud is bright and quiet is dull."""
    smooth = np.convolve(samples, np.full(_TAPS, 1 / _TAPS, np.float32), mode="same")
    tilted = samples + float(np.clip(0.08 * decibels, -0.65, 0.9)) * (samples - smooth)
    rms = float(np.sqrt(np.mean(tilted**2))) or 1.0
    gain = NEUTRAL_RMS * 10 ** (decibels / 20) / rms
    return np.tanh(tilted * gain).astype(np.float32)
