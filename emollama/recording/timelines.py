"""Each person over time, from what was stored of the blocks: face, speech, loudness and pitch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emollama.encoders.expression import CLASSES
from emollama.recording.parts import FACE_RATE, Person, Timeline, Turn
from emollama.recording.voices import VOICE_RATE, VoiceBlock

_NEAR = 1.0 / FACE_RATE  # seconds that a face may be away from the moment it stands for


def timelines(
    people: Sequence[Person],
    turns: Sequence[Turn],
    voices: Sequence[VoiceBlock],
    duration: float,
) -> dict[str, Timeline]:
    """Timelines by person, `FACE_RATE` rows a second, each at the middle of its fifth of a second.

    Where several people speak at once, loudness and pitch are those of all of them.

    Args:
        people: with their tracks.
        turns: of all of them.
        voices: all blocks in order; none without sound.
        duration: seconds of the recording.
    """
    times = (np.arange(int(np.ceil(duration * FACE_RATE - 1e-6))) + 0.5) / FACE_RATE
    loudness, pitch = _heard(voices, len(times))
    found = {}
    for person in people:
        speaking = np.zeros(len(times), bool)
        for turn in turns:
            if turn.speaker == person.name:
                speaking |= (times >= turn.start) & (times < turn.end)
        found[person.name] = Timeline(
            times=times,
            expressions=_seen(person, times),
            speaking=speaking,
            loudness=np.where(speaking, loudness, np.nan).astype(np.float32),
            pitch=np.where(speaking, pitch, np.nan).astype(np.float32),
        )
    return found


def _seen(person: Person, times: np.ndarray) -> np.ndarray:
    """Expressions float32 [N, 7] of the nearest face; NaN where none is near."""
    values = np.full((len(times), len(CLASSES)), np.nan, np.float32)
    for track in person.tracks:
        low, high = np.searchsorted(times, [track.times[0] - _NEAR, track.times[-1] + _NEAR])
        own = times[low:high]
        behind = np.clip(np.searchsorted(track.times, own), 1, max(len(track.times) - 1, 1))
        behind = np.minimum(behind, len(track.times) - 1)
        before = np.maximum(behind - 1, 0)
        closer = own - track.times[before] <= track.times[behind] - own
        nearest = np.where(closer, before, behind)
        near = np.abs(track.times[nearest] - own) <= _NEAR
        values[low:high][near] = track.expressions[nearest[near]]
    return values


def _heard(voices: Sequence[VoiceBlock], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Loudness [count], the mean power in dB, and pitch [count], the median of what is voiced."""
    loudness, pitch = np.full(count, np.nan), np.full(count, np.nan)
    if not voices or not count:
        return loudness, pitch
    moments = np.concatenate(
        [block.start + (np.arange(len(block.loudness)) + 0.5) / VOICE_RATE for block in voices]
    )
    row = (moments * FACE_RATE).astype(int)
    inside = row < count
    row = row[inside]
    decibels = np.concatenate([block.loudness for block in voices])[inside]
    hertz = np.concatenate([block.pitch for block in voices])[inside]
    number = np.bincount(row, minlength=count)
    power = np.bincount(row, 10 ** (decibels.astype(np.float64) / 10), count)
    heard = number > 0
    loudness[heard] = 10 * np.log10(np.maximum(power[heard] / number[heard], 1e-12))
    voiced = np.isfinite(hertz)
    for i, own in _by_row(row[voiced], hertz[voiced]):
        pitch[i] = np.median(own)
    return loudness, pitch


def _by_row(rows: np.ndarray, values: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Each row with its values; `rows` is sorted."""
    if not len(rows):
        return []
    numbers, first = np.unique(rows, return_index=True)
    return list(zip(numbers.tolist(), np.split(values, first[1:]), strict=True))
