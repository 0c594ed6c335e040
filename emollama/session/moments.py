"""When in the clip each clue of its answer is most marked, and how loud and high the voice is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from emollama.session.clip_view import ClipView
from emollama.session.observation import Timeline

_NEAR = 5  # points of the timeline that are taken together: a quarter of a second
_AROUND = 11  # within which a voice moves: half a second
_SPOKEN = 25.0  # dB below the clip's loud parts at which speech ends


@dataclass(frozen=True)
class Moment:
    """A clue in words with the time where it is most marked; None where it is of the whole clip."""

    channel: str
    words: str
    time: float | None


def moments(look: ClipView) -> list[Moment]:
    """The clues of the channels in use, one by one, in their order."""
    line = look.observation.timeline
    found = []
    for channel in look.used:
        for words in filter(None, look.clues.get(channel, "").replace(";", ",").split(", ")):
            time = _face(line, words) if channel == "face" else _VOICE.get(words, _nowhere)(line)
            found.append(Moment(channel, words, time))
    return found


def level(look: ClipView) -> str | None:
    """The sound's level in words; None where the model has no yardstick."""
    clues = look.clues.get("voice")
    if not clues or "voice" not in look.used:
        return None
    word = next((w for w in ("quiet", "loud") if f"{w} voice" in clues), "usual")
    return f"{word} compared with {look.compared_with}"


def voice_lines(look: ClipView) -> list[str]:
    """How loud and how high the voice is, and when most, a line each."""
    line = look.observation.timeline
    if "voice" not in look.channels:
        return []
    found = []
    if (loudest := _VOICE["loud voice"](line)) is not None:
        told = level(look)
        found.append(f"loudness: {f'{told}, ' if told else ''}loudest at {loudest:.1f} s")
    highest, lowest = _VOICE["high pitch"](line), _VOICE["low pitch"](line)
    if highest is not None and lowest is not None:
        low, high = np.nanmin(line.pitch), np.nanmax(line.pitch)
        found.append(
            f"pitch: {low:.0f} to {high:.0f} Hz, highest at {highest:.1f} s, lowest at "
            f"{lowest:.1f} s"
        )
    return found


def _face(line: Timeline, words: str) -> float | None:
    named = next((name for name in line.classes if name in words.split()), None)
    if named is None or line.still:
        return None
    return _most(line.face_times, line.expressions[:, line.classes.index(named)])


def _nowhere(line: Timeline) -> float | None:
    del line
    return None


def _heard(line: Timeline) -> np.ndarray:
    """The sound's level where somebody may speak, NaN elsewhere."""
    if not len(line.energy):
        return line.energy
    floor = np.percentile(line.energy, 95) - _SPOKEN
    return np.where(line.energy > floor, line.energy, np.nan)


def _most(times: np.ndarray, values: np.ndarray) -> float | None:
    return float(times[np.nanargmax(values)]) if np.isfinite(values).any() else None


def _at(
    values: Callable[[Timeline], np.ndarray], of: Callable[..., np.ndarray], width: int
) -> Callable[[Timeline], float | None]:
    """Where a function of the known values around a point is largest."""

    def find(line: Timeline) -> float | None:
        own = values(line)
        wide = np.pad(own.astype(np.float64), width // 2, constant_values=np.nan)
        near = sliding_window_view(wide, width) if len(own) else np.zeros((0, width))
        enough = np.isfinite(near).sum(axis=1) > width // 2
        marked = np.full(len(own), np.nan)
        if enough.any():
            marked[enough] = of(near[enough], axis=1)
        return _most(line.voice_times, marked)

    return find


def _pitch(line: Timeline) -> np.ndarray:
    return np.log2(line.pitch)


def _least(values: np.ndarray, axis: int) -> np.ndarray:
    return -np.nanmedian(values, axis=axis)


def _range(values: np.ndarray, axis: int) -> np.ndarray:
    return np.nanmax(values, axis=axis) - np.nanmin(values, axis=axis)


_VOICE: dict[str, Callable[[Timeline], float | None]] = {
    "high pitch": _at(_pitch, np.nanmedian, _NEAR),
    "low pitch": _at(_pitch, _least, _NEAR),
    "lively melody": _at(_pitch, _range, _AROUND),
    "loud voice": _at(_heard, np.nanmedian, _NEAR),
    "quiet voice": _at(_heard, _least, _NEAR),
    "changing loudness": _at(_heard, _range, _AROUND),
}
"""By clue word. The others (slow speech, a flat melody, few pauses) are of the whole clip."""
