"""Voice: pitch, energy, rate and pauses, in named columns with units.

Pitch is YIN (de Cheveigné & Kawahara 2002), vectorised over frames; syllable nuclei are voiced
peaks of the energy envelope between dips of 2 dB (de Jong & Wempe 2009); the choice of functionals
follows eGeMAPS (Eyben et al. 2016). Plain numpy; a few milliseconds per clip.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from emollama.base.errors import EmollamaError
from emollama.encoders.base import FeatureTrack
from emollama.manifest.channels import Channel
from emollama.media.clip import SAMPLE_RATE, Clip

COLUMNS = (
    "f0_mean",  # semitones above 55 Hz, over voiced frames
    "f0_sd",  # semitones
    "f0_range",  # semitones, 5th to 95th percentile
    "f0_slope",  # semitones a second, of a straight line through the voiced frames
    "f0_movement",  # semitones a second, mean absolute change between voiced neighbours
    "energy_mean",  # dB re full scale, over frames with speech
    "energy_sd",  # dB
    "energy_range",  # dB, 5th to 95th percentile
    "energy_slope",  # dB a second
    "brightness",  # dB, energy above 1 kHz over energy below it (alpha ratio), voiced frames
    "harmonicity",  # 0..1, periodic share of voiced frames
    "speech_rate",  # syllable nuclei a second, from the first to the last speech
    "articulation_rate",  # syllable nuclei a second of speech without its pauses
    "voiced_fraction",  # 0..1, voiced frames of those with speech
    "pause_count",  # gaps of 0.15 s or more inside the speech
    "pause_seconds",  # their sum
    "pause_fraction",  # 0..1, their share of the time from the first to the last speech
    "duration",  # seconds
)

_CODE = 1  # raised whenever the numbers change
_HOP = 160  # samples: a frame every 10 ms
LOWEST, HIGHEST = 60.0, 600.0
"""Hz of pitch that is looked for."""
_WINDOW = 400  # samples that YIN compares with their shifted copy
_LONGEST = int(SAMPLE_RATE / LOWEST) + 2  # samples of shift
_SHORTEST = int(SAMPLE_RATE / HIGHEST) - 1
_FRAME = _WINDOW + _LONGEST
_APERIODIC = 0.3  # a frame is voiced below it: more than for clean singing, as voices are hoarse
_ENERGY_WINDOW = 400  # samples: 25 ms
_SILENCE = -70.0  # dB re full scale: a clip that is never louder has no voice
_BELOW_PEAK = 25.0  # dB below the 95th percentile at which speech ends
_DIP = 2.0  # dB between two syllable nuclei
_PAUSE = 0.15  # seconds
_MIDDLE_F0 = 12 * np.log2(150 / 55)  # semitones


@dataclass(frozen=True)
class Contour:
    """Frame-wise measures of a clip, one every 10 ms.

    Attributes:
        times: float64 [N] seconds, centres of the frames.
        f0: float64 [N] Hz, 0 where unvoiced.
        periodic: float64 [N], 1 minus YIN's aperiodicity at the period found.
        energy: float64 [N], dB re full scale.
        bright: float64 [N], dB, energy above over below 1 kHz.
    """

    times: np.ndarray
    f0: np.ndarray
    periodic: np.ndarray
    energy: np.ndarray
    bright: np.ndarray


class ProsodyEncoder:
    """The prosody of speech, whatever its words: the columns of `COLUMNS`.

    A stretch without any voiced frame (whispering, breath) has no pitch: its `f0_mean` is that of
    150 Hz, the middle of human speech, and its other pitch columns are 0; `voiced_fraction` shows
    this.

    Args:
        segments: T, equal parts of the clip, each measured by itself. Speech is detected once over
            the whole clip.
    """

    channel: Channel = "voice"
    frames = 0
    columns = COLUMNS
    width = len(COLUMNS)

    def __init__(self, segments: int = 1) -> None:
        if not 1 <= segments <= 1000:
            raise EmollamaError(f"encoder 'prosody': segments must be 1 to 1000, not {segments}")
        self.segments = segments
        self.key = f"prosody+segments={segments}"
        self.fingerprint = hashlib.sha256(f"{_CODE}:{self.key}:{COLUMNS}".encode()).hexdigest()

    def encode(self, clips: Sequence[Clip]) -> list[FeatureTrack | None]:
        """One track [segments, 18] per clip; None without a sound track, or where it is silent."""
        return [self._encode(clip.audio) for clip in clips]

    def _encode(self, audio: np.ndarray | None) -> FeatureTrack | None:
        if audio is None or len(audio) < _ENERGY_WINDOW:
            return None
        contour = measure(audio)
        if contour.energy.max() < _SILENCE:
            return None
        active = contour.energy > max(np.percentile(contour.energy, 95) - _BELOW_PEAK, _SILENCE)
        nuclei = syllable_nuclei(contour, active)
        seconds = len(audio) / SAMPLE_RATE
        edges = np.linspace(0, len(contour.times), self.segments + 1)
        rows = []
        for low, high in pairwise(edges):
            # A clip with fewer frames than segments measures a frame more than once.
            first = min(int(low), len(contour.times) - 1)
            part = slice(first, max(int(high), first + 1))
            rows.append(_describe(contour, active, nuclei, part, seconds / self.segments))
        centres = (np.arange(self.segments) + 0.5) * seconds / self.segments
        return FeatureTrack(np.array(rows, np.float32), centres.astype(np.float32))


def measure(audio: np.ndarray) -> Contour:
    """Pitch, energy and brightness every 10 ms of float audio [n] at 16 kHz."""
    signal = np.asarray(audio, np.float32)
    # A microphone's constant offset is no sound; at the clip's ends it would be a step.
    signal = signal - signal.mean()
    count = max(1, round(len(signal) / _HOP))
    # Every frame is centred on its time; silence is laid around the clip for the outer ones.
    padded = np.pad(signal, (_FRAME // 2, _FRAME + _HOP))
    starts = np.arange(count) * _HOP + _HOP // 2
    frames = sliding_window_view(padded, _FRAME)[starts]
    frames = frames - frames.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(frames, 1024)
    f0, periodic = _yin(frames, spectrum)
    middle = frames[:, (_FRAME - _ENERGY_WINDOW) // 2 :][:, :_ENERGY_WINDOW]
    energy = 10 * np.log10(np.mean(middle.astype(np.float64) ** 2, axis=1) + 1e-12)
    power = np.abs(spectrum) ** 2
    split = round(1000 * 1024 / SAMPLE_RATE)
    bright = 10 * np.log10(
        (power[:, split:].sum(axis=1) + 1e-12) / (power[:, 4:split].sum(axis=1) + 1e-12)
    )
    f0[energy < _SILENCE] = 0.0
    return Contour((starts + 0.0) / SAMPLE_RATE, _smooth(f0), periodic, energy, bright)


def _yin(frames: np.ndarray, spectrum: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """F0 in Hz (0: unvoiced) and periodicity of frames [N, _FRAME]; `spectrum` is theirs."""
    # The circular correlation over 1,024 points is exact for the shifts used: window and shift
    # together are as long as the frame, which fits.
    head = np.fft.rfft(frames[:, :_WINDOW], 1024)
    correlation = np.fft.irfft(spectrum * head.conj(), 1024)[:, : _LONGEST + 1]
    squares = np.cumsum(np.pad(frames.astype(np.float64) ** 2, ((0, 0), (1, 0))), axis=1)
    powers = squares[:, _WINDOW : _WINDOW + _LONGEST + 1] - squares[:, : _LONGEST + 1]
    difference = np.maximum(powers[:, :1] + powers - 2 * correlation, 0)
    shifts = np.arange(1, _LONGEST + 1)
    running = np.cumsum(difference[:, 1:], axis=1) / shifts
    normal = np.ones_like(difference)
    normal[:, 1:] = difference[:, 1:] / np.maximum(running, 1e-12)

    inner = normal[:, _SHORTEST:_LONGEST]
    valley = (inner <= normal[:, _SHORTEST - 1 : _LONGEST - 1]) & (
        inner < normal[:, _SHORTEST + 1 : _LONGEST + 1]
    )
    good = valley & (inner < _APERIODIC)
    voiced = good.any(axis=1)
    # The first valley below the threshold, not the deepest: that one may be a multiple.
    shift = np.argmax(good, axis=1) + _SHORTEST
    rows = np.arange(len(frames))
    before, here, after = (normal[rows, shift + i] for i in (-1, 0, 1))
    bend = before - 2 * here + after
    offset = np.where(bend > 1e-12, 0.5 * (before - after) / np.maximum(bend, 1e-12), 0.0)
    f0 = np.where(voiced, SAMPLE_RATE / (shift + np.clip(offset, -1, 1)), 0.0)
    return f0, np.where(voiced, 1 - here, 0.0)


def _smooth(f0: np.ndarray) -> np.ndarray:
    """Median of five voiced neighbours; octave leaps and runs under 30 ms become unvoiced."""
    wide = np.pad(f0, 2)
    windows = np.where(sliding_window_view(wide, 5) > 0, sliding_window_view(wide, 5), np.nan)
    voiced = np.isfinite(windows)
    enough = (f0 > 0) & (voiced.sum(axis=1) >= 3)
    middle = np.zeros_like(f0)
    if enough.any():
        middle[enough] = np.nanmedian(windows[enough], axis=1)
    leap = np.abs(np.log2(np.maximum(f0, 1) / np.maximum(middle, 1))) > 0.25
    return np.where(enough & ~leap, f0, 0.0)


def syllable_nuclei(contour: Contour, active: np.ndarray) -> np.ndarray:
    """Frame indices of syllable nuclei: voiced energy peaks between dips of 2 dB."""
    shape = np.hanning(9)[1:-1]
    envelope = np.convolve(np.pad(contour.energy, 3, mode="edge"), shape / shape.sum(), "valid")
    rising = np.diff(envelope, prepend=-np.inf) > 0
    falling = np.diff(envelope, append=-np.inf) <= 0
    kept: list[int] = []
    for peak in np.flatnonzero(rising & falling & active):
        if kept:
            dip = envelope[kept[-1] : peak + 1].min()
            if min(envelope[kept[-1]], envelope[peak]) - dip < _DIP:
                # One hump: its higher end stands for it.
                if envelope[peak] > envelope[kept[-1]]:
                    kept[-1] = int(peak)
                continue
        kept.append(int(peak))
    # A consonant's burst between two vowels is a peak too, but has no pitch.
    near = np.convolve(contour.f0 > 0, np.ones(5), "same") > 0
    return np.array([p for p in kept if near[p]], dtype=np.int64)


def _describe(
    contour: Contour, active: np.ndarray, nuclei: np.ndarray, part: slice, seconds: float
) -> list[float]:
    """The columns, in order, of the frames in `part`."""
    hop = _HOP / SAMPLE_RATE
    times, energy = contour.times[part], contour.energy[part]
    voiced, speech = contour.f0[part] > 0, active[part]
    semitones = 12 * np.log2(np.maximum(contour.f0[part], 1.0) / 55)
    pitch = _functionals(semitones[voiced], times[voiced], empty=float(_MIDDLE_F0))
    neighbours = voiced[1:] & voiced[:-1]
    movement = np.abs(np.diff(semitones))[neighbours].mean() / hop if neighbours.any() else 0.0
    # A part without speech is told by its own level.
    heard = speech if speech.any() else np.ones_like(speech)
    loudness = _functionals(energy[heard], times[heard], empty=0.0)

    syllables = np.count_nonzero((nuclei >= part.start) & (nuclei < part.stop))
    where = np.flatnonzero(speech)
    span = (where[-1] - where[0] + 1) * hop if len(where) else 0.0
    gaps = (np.diff(where) - 1) * hop
    pauses = gaps[gaps >= _PAUSE - 1e-9]
    spoken = span - pauses.sum()
    return [
        *pitch,
        float(movement),
        *loudness,
        float(contour.bright[part][voiced].mean()) if voiced.any() else 0.0,
        float(contour.periodic[part][voiced].mean()) if voiced.any() else 0.0,
        syllables / span if span else 0.0,
        syllables / spoken if spoken > 0 else 0.0,
        float(voiced[speech].mean()) if len(where) else 0.0,
        float(len(pauses)),
        float(pauses.sum()),
        float(pauses.sum() / span) if span else 0.0,
        seconds,
    ]


def _functionals(values: np.ndarray, times: np.ndarray, empty: float) -> list[float]:
    """Mean, deviation, range (5th to 95th percentile) and slope a second."""
    if not len(values):
        return [empty, 0.0, 0.0, 0.0]
    low, high = np.percentile(values, [5, 95])
    centred = times - times.mean()
    spread = float((centred**2).sum())
    # Less than 0.1 s is too short for a slope.
    slope = float((centred * values).sum() / spread) if np.ptp(times) >= 0.1 else 0.0
    return [float(values.mean()), float(values.std()), float(high - low), slope]
