"""Who is seen and heard in a recording, from all its blocks: people, turns, cuts, timelines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emollama.recording.blocks import Block
from emollama.recording.parts import Person, Timeline, Turn
from emollama.recording.turns import voice_turns


@dataclass(frozen=True)
class PeopleFound:
    """What the blocks of a recording say together.

    Attributes:
        people: in the order of their names.
        turns: sorted by start.
        cuts: times of shot changes.
        timelines: by person.
        notes: remarks.
    """

    people: tuple[Person, ...]
    turns: tuple[Turn, ...]
    cuts: tuple[float, ...]
    timelines: dict[str, Timeline]
    notes: tuple[str, ...] = ()


def find_people(blocks: Sequence[Block], duration: float, count: int | None = None) -> PeopleFound:
    """Who is seen and heard.

    Args:
        blocks: of the whole recording, in order, with vectors.
        duration: seconds of the recording.
        count: number of people who speak; None to find it out.
    """
    heard = [block.voice for block in blocks if block.voice is not None]
    seen = [block.picture for block in blocks if block.picture is not None]
    turns = voice_turns(heard, count)
    names = dict.fromkeys(turn.speaker for turn in turns)
    people = tuple(Person(name, (), True) for name in names)
    return PeopleFound(people, tuple(turns), (), {})
