"""Pictures, sounds and films in the text of a request."""

from __future__ import annotations

import base64
import io
import wave
from pathlib import Path

import numpy as np
from PIL import Image

from emollama.media.clip import SAMPLE_RATE


def picture_url(image: np.ndarray) -> str:
    """A data URL of a JPEG, of uint8 [H, W, 3]."""
    out = io.BytesIO()
    Image.fromarray(image).save(out, "JPEG", quality=90)
    return "data:image/jpeg;base64," + _coded(out.getvalue())


def film_url(path: Path) -> str:
    """A data URL of a film's file."""
    return "data:video/mp4;base64," + _coded(path.read_bytes())


def wav_base64(sound: np.ndarray) -> str:
    """16-bit WAV of float sound [n] at 16 kHz."""
    return _coded(wav_bytes(sound))


def wav_bytes(sound: np.ndarray) -> bytes:
    """The file of `wav_base64`."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    return out.getvalue()


def _coded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
