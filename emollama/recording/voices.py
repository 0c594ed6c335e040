"""What is heard in a block of a recording: speech, whose voice it may be, loudness and pitch.

A block is heard by itself. Given a little of the sound before it (`LEAD`), the speech detector is
warm where the block begins, and a voice that goes on across the edge is heard in full windows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from emollama.encoders.pitch import drawn_contour
from emollama.media.clip import SAMPLE_RATE
from emollama.media.speakers import HOP, PARTIAL, SpeakerEncoder
from emollama.media.speech import CHUNK_SECONDS, SpeechActivity, speech_spans

LEAD = 2.048
"""Seconds before a block that are worth decoding: a window of a voice, whole chunks of speech."""
VOICE_RATE = 20.0
"""Measures of loudness and pitch a second."""

_CHUNK = round(CHUNK_SECONDS * SAMPLE_RATE)
_LENGTH = PARTIAL * HOP / SAMPLE_RATE  # seconds of a window
_STEP = 0.4  # seconds between windows
_SHORTEST = 0.4  # seconds: less tells no voice
_PAUSE = 0.15  # seconds without speech that end an uninterrupted stretch
_QUIET = -120.0  # dB of no sound


@dataclass(frozen=True)
class Ears:
    """The networks that listen."""

    speech: SpeechActivity
    speakers: SpeakerEncoder

    @classmethod
    def from_assets(cls) -> Ears:
        """Those of assets "silero-vad" and "resemblyzer", which are fetched if needed.

        Raises:
            EmollamaError: an asset is not there and cannot be fetched.
        """
        return cls(SpeechActivity.from_asset(), SpeakerEncoder.from_asset())


@dataclass(frozen=True)
class VoiceBlock:
    """The sound of a block.

    Attributes:
        start: seconds from the recording's beginning.
        end: seconds.
        chances: float32 [N], probability of speech in each 32 ms from `start`.
        windows: float64 [K, 2], seconds from the recording's beginning: start and end of windows
            within uninterrupted speech; they end in this block and may begin in the one before.
        loudness: float32 [M], dB re full scale, `VOICE_RATE` a second from `start`.
        pitch: float32 [M], Hz; NaN where nothing is voiced.
        vectors: float32 [K, 256], unit vectors of the voice in each window. Personal: never
            written unless the user keeps vectors; None until they are measured (`with_vectors`).
    """

    start: float
    end: float
    chances: np.ndarray
    windows: np.ndarray
    loudness: np.ndarray
    pitch: np.ndarray
    vectors: np.ndarray | None = None

    def to_arrays(self) -> dict[str, np.ndarray]:
        """What may be written: everything but the vectors."""
        return {
            "span": np.array([self.start, self.end]),
            "chances": self.chances,
            "windows": self.windows,
            "loudness": self.loudness,
            "pitch": self.pitch,
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> VoiceBlock:
        """A block as `to_arrays` wrote it; its vectors are missing."""
        start, end = arrays["span"].tolist()
        kept = ("chances", "windows", "loudness", "pitch")
        return cls(start, end, **{name: np.asarray(arrays[name]) for name in kept})


def read_voices(audio: np.ndarray, start: float, ears: Ears, lead: float = 0.0) -> VoiceBlock:
    """Listen to a block of a recording; the vectors are left to `with_vectors`.

    Args:
        audio: float32 [n] at 16 kHz; its first `lead` seconds lie before the block.
        start: of the block, seconds from the recording's beginning.
        ears: the networks that listen.
        lead: at most `LEAD` is used.
    """
    before = min(round(lead * SAMPLE_RATE), len(audio), round(LEAD * SAMPLE_RATE))
    before -= before % _CHUNK
    skipped = round(lead * SAMPLE_RATE) - before
    heard = np.asarray(audio[skipped:], np.float32)
    chances = ears.speech.chances(heard)
    zero = start - before / SAMPLE_RATE
    windows = _windows(chances, len(heard) / SAMPLE_RATE)
    windows = windows[windows[:, 1] > before / SAMPLE_RATE + 1e-6]
    loudness, pitch = _contour(heard[before:])
    return VoiceBlock(
        start=start,
        end=start + (len(heard) - before) / SAMPLE_RATE,
        chances=chances[before // _CHUNK :],
        windows=windows + zero,
        loudness=loudness,
        pitch=pitch,
    )


def with_vectors(block: VoiceBlock, audio: np.ndarray, ears: Ears, lead: float = 0.0) -> VoiceBlock:
    """A block with the vectors of its windows, measured on the sound that it was read from."""
    pieces = []
    places = np.round((block.windows - (block.start - lead)) * SAMPLE_RATE).astype(int)
    for first, last in places.tolist():
        # A shorter window is said again until it is as long as the network was trained on.
        pieces.append(np.resize(audio[max(0, first) : last], PARTIAL * HOP))
    return replace(block, vectors=ears.speakers.vectors(pieces))


def _windows(chances: np.ndarray, seconds: float) -> np.ndarray:
    """Windows [K, 2] in seconds: all of a short stretch, or 1.6 s at steps through a long one."""
    found = []
    for span in speech_spans(chances, seconds, _PAUSE, (0.0, 0.0)):
        length = span.end - span.start
        if length < _SHORTEST:
            continue
        if length <= _LENGTH:
            found.append((span.start, span.end))
            continue
        count = 1 + int(np.ceil((length - _LENGTH) / _STEP))
        firsts = span.start + np.linspace(0, length - _LENGTH, count)
        found.extend((first, first + _LENGTH) for first in firsts.tolist())
    return np.array(found, np.float64).reshape(-1, 2)


def _contour(audio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Loudness in dB and pitch in Hz, `VOICE_RATE` a second."""
    count = round(len(audio) / SAMPLE_RATE * VOICE_RATE)
    if not count:
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    contour = drawn_contour(audio)
    place = np.minimum((contour.times * VOICE_RATE).astype(int), count - 1)
    power = np.bincount(place, 10 ** (contour.energy / 10), count)
    frames = np.maximum(np.bincount(place, minlength=count), 1)
    loudness = 10 * np.log10(np.maximum(power / frames, 10 ** (_QUIET / 10)))
    pitch = np.full(count, np.nan)
    for at in np.unique(place[contour.f0 > 0]):
        pitch[at] = np.median(contour.f0[(place == at) & (contour.f0 > 0)])
    return loudness.astype(np.float32), pitch.astype(np.float32)
