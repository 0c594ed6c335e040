"""Sounds in which nobody speaks, and pictures in which no face is seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

RATE = 16_000
SECONDS = 3.0

Draw = np.random.Generator
Sound = Callable[[Draw], np.ndarray]


def _times() -> np.ndarray:
    return np.arange(int(SECONDS * RATE)) / RATE


def _wave(frequency: np.ndarray | float, overtones: int = 1) -> np.ndarray:
    """A tone of constant or moving frequency in Hz; overtone k has the strength 1/k."""
    turns = np.cumsum(np.broadcast_to(frequency, _times().shape)) / RATE
    parts = [np.sin(2 * np.pi * k * turns) / k for k in range(1, overtones + 1)]
    return np.asarray(np.sum(parts, axis=0))


def _noise(draw: Draw, slope: float) -> np.ndarray:
    """Noise whose power falls with frequency to the power of `slope`: 0 white, 1 pink, 2 brown."""
    spectrum = np.fft.rfft(draw.normal(size=len(_times())))
    spectrum[1:] /= np.arange(1, len(spectrum)) ** (slope / 2)
    spectrum[0] = 0
    noise = np.fft.irfft(spectrum, len(_times()))
    return np.asarray(noise / noise.std())


def _at(draw: Draw, burst: Callable[[], np.ndarray], count: int) -> np.ndarray:
    """`count` bursts at random times."""
    sound = np.zeros(len(_times()))
    for _ in range(count):
        one = burst()
        start = int(draw.integers(0, len(sound) - len(one)))
        sound[start : start + len(one)] += one
    return sound


def _tone(draw: Draw) -> np.ndarray:
    return _wave(float(np.exp(draw.uniform(np.log(60), np.log(4000)))))


def _chirp(draw: Draw) -> np.ndarray:
    low, high = np.exp(draw.uniform(np.log(60), np.log(4000), 2))
    return _wave(low * (high / low) ** (_times() / SECONDS))


def _siren(draw: Draw) -> np.ndarray:
    swing = np.sin(2 * np.pi * draw.uniform(0.3, 3) * _times())
    return _wave(draw.uniform(500, 900) * 2 ** (0.5 * swing), overtones=4)


def _hum(draw: Draw) -> np.ndarray:
    return _wave(float(draw.choice([50, 60, 100])), overtones=12) + 0.05 * _noise(draw, 1)


def _engine(draw: Draw) -> np.ndarray:
    speed = draw.uniform(30, 120) * (1 + 0.2 * np.sin(2 * np.pi * 0.4 * _times()))
    return _wave(speed, overtones=25) + 0.3 * _noise(draw, 1)


def _clicks(draw: Draw) -> np.ndarray:
    fade = np.exp(-np.arange(400) / draw.uniform(5, 80))
    return _at(draw, lambda: draw.normal(size=400) * fade, int(draw.integers(2, 40)))


def _chords(draw: Draw) -> np.ndarray:
    """Four plucked chords of three notes, on a beat of noise."""
    sound = np.zeros(len(_times()))
    for beat in range(4):
        since = _times() - beat * SECONDS / 4
        fade = np.where(since >= 0, np.exp(-np.maximum(since, 0) * 4), 0)
        root = 110 * 2 ** (draw.integers(0, 24) / 12)
        notes = [_wave(root * 2 ** (step / 12), overtones=8) for step in (0, 4, 7)]
        sound += fade * np.sum(notes, axis=0) + 0.3 * fade**8 * _noise(draw, 0)
    return sound


def _barks(draw: Draw) -> np.ndarray:
    """Harsh bursts of a sixth of a second whose pitch rises and falls, with one resonance."""

    def bark() -> np.ndarray:
        count = int(RATE * draw.uniform(0.1, 0.25))
        shape = np.hanning(count)
        turns = np.cumsum(draw.uniform(250, 500) * (1 + shape)) / RATE
        raw = sum(np.sin(2 * np.pi * k * turns) for k in range(1, 10))
        raw = raw + draw.normal(0, 1.5, count)
        spectrum = np.fft.rfft(raw)
        where = np.fft.rfftfreq(count, 1 / RATE)
        spectrum *= np.exp(-(((where - draw.uniform(700, 1300)) / 600) ** 2))
        return np.asarray(shape * np.fft.irfft(spectrum, count))

    return _at(draw, bark, int(draw.integers(2, 6)))


def _whistle(draw: Draw) -> np.ndarray:
    def note() -> np.ndarray:
        count = int(RATE * draw.uniform(0.05, 0.3))
        bend = np.linspace(0, draw.uniform(-0.5, 0.5), count)
        turns = np.cumsum(draw.uniform(1500, 4500) * 2**bend) / RATE
        return np.asarray(np.hanning(count) * np.sin(2 * np.pi * turns))

    return _at(draw, note, int(draw.integers(3, 12)))


SOUNDS: Mapping[str, Sound] = {
    "pure tone": _tone,
    "chirp": _chirp,
    "siren": _siren,
    "hum": _hum,
    "engine": _engine,
    "white noise": lambda draw: _noise(draw, 0),
    "pink noise": lambda draw: _noise(draw, 1),
    "brown noise": lambda draw: _noise(draw, 2),
    "clicks": _clicks,
    "chords": _chords,
    "barks": _barks,
    "whistles": _whistle,
    "room tone": lambda draw: _noise(draw, 1),
}


def sound(kind: str, draw: Draw) -> np.ndarray:
    """Three seconds float32 [n] at 16 kHz; room tone at −70 to −50 dB, others at −40 to −10 dB."""
    made = SOUNDS[kind](draw)
    level = draw.uniform(-70, -50) if kind == "room tone" else draw.uniform(-40, -10)
    made = made / np.sqrt(np.mean(made**2)) * 10 ** (level / 20)
    return np.clip(made, -1, 1).astype(np.float32)


def in_noise(speech: np.ndarray, decibels: float, draw: Draw) -> np.ndarray:
    """Speech [n] with pink noise `decibels` below it."""
    noise = np.resize(_noise(draw, 1), len(speech))
    level = np.sqrt(np.mean(speech**2)) * 10 ** (-decibels / 20)
    mixed = speech + level * noise
    return np.asarray(mixed / max(1.0, np.abs(mixed).max()), np.float32)


def pattern(kind: str, count: int, draw: Draw, side: int = 240) -> np.ndarray:
    """`count` pictures without a person, uint8 [count, side, side, 3]; one scene that moves."""
    y, x = np.mgrid[0:side, 0:side] / side
    if kind == "grain":
        return draw.integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    waves = draw.uniform(0.5, 6, (6, 2)), draw.uniform(0, 2 * np.pi, (6, 3))
    boxes = draw.uniform(0, 0.8, (12, 2)), draw.uniform(0.05, 0.4, (12, 2))
    colours = draw.uniform(0, 255, (12, 3))
    pictures = np.empty((count, side, side, 3))
    for i in range(count):
        move = 0.02 * i
        if kind == "waves":
            turns = [np.cos(2 * np.pi * (a * (x + move) + b * y)) for a, b in waves[0]]
            mixed = np.tensordot(np.cos(waves[1]).T, np.array(turns), axes=1)
            pictures[i] = 127 + 40 * np.moveaxis(mixed, 0, 2)
            continue
        pictures[i] = colours[0]
        for (left, top), (wide, high), colour in zip(*boxes, colours, strict=True):
            across, down = (x - left - move) / wide, (y - top) / high
            if kind == "boxes":
                inside = (across >= 0) & (across < 1) & (down >= 0) & (down < 1)
            else:
                inside = (across - 0.5) ** 2 + (down - 0.5) ** 2 < 0.25
            pictures[i][inside] = colour
    pictures += draw.normal(0, 4, pictures.shape)
    return np.clip(pictures, 0, 255).astype(np.uint8)


PATTERNS = ("grain", "waves", "boxes", "discs")
