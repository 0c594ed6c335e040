"""How people of a scene take turns: one to three utterances each, pauses, now and then at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

BREATH = 0.3
"""Longest pause, in seconds, that still counts as speech of who pauses."""

_AT_ONCE = 0.12  # share of turns that begin before the last one has ended
_OVERLAP = (0.5, 1.5)  # seconds
_PAUSE = (0.2, 1.0)  # seconds between utterances, of one person or two
_MARGIN = 0.5  # seconds of silence at both ends of a scene

Said = TypeVar("Said")


@dataclass(frozen=True)
class Placed(Generic[Said]):
    """What a person says, and when: `start` is in seconds."""

    person: int
    start: float
    seconds: float
    said: Said

    @property
    def end(self) -> float:
        """Seconds."""
        return self.start + self.seconds


def take_turns(
    generator: np.random.Generator,
    people: int,
    seconds: float,
    say: Callable[[int], tuple[Said, float]],
) -> list[Placed[Said]]:
    """Utterances of several people that fill a scene, sorted by start.

    Args:
        generator: draws order, pauses and overlaps.
        people: two or more.
        seconds: length of the scene; nothing ends beyond it.
        say: gives a person's next utterance and how many seconds it takes.
    """
    placed: list[Placed[Said]] = []
    begin, spoke, before = _MARGIN, -1, 0.0
    while True:
        spoke = _next_person(generator, people, spoke)
        start, length = begin, 0.0
        for number in range(int(generator.integers(1, 4))):
            if number:
                start += length + float(generator.uniform(*_PAUSE))
            said, length = say(spoke)
            if start + length > seconds - _MARGIN:
                return sorted(placed, key=lambda p: p.start)
            placed.append(Placed(spoke, start, length, said))
        end, pause = start + length, float(generator.uniform(*_PAUSE))
        if generator.random() < _AT_ONCE:
            overlap = min(float(generator.uniform(*_OVERLAP)), 0.6 * length)
            # Nobody begins before they have ended themselves.
            begin = max(end - overlap, before + pause)
        else:
            begin = max(end, before) + pause
        before = max(end, before)


def _next_person(generator: np.random.Generator, people: int, spoke: int) -> int:
    """Anybody but the one who has just spoken; -1 where nobody has."""
    if spoke < 0:
        return int(generator.integers(people))
    return (spoke + 1 + int(generator.integers(people - 1))) % people
