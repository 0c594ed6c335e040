"""Who is seen and heard in a recording, from all its blocks: people, turns, cuts, timelines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emollama.recording.blocks import Block
from emollama.recording.parts import Person, Timeline, Turn
from emollama.recording.people_seen import group_tracks
from emollama.recording.tracks import face_tracks, shot_changes
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
    tracks = face_tracks(seen)
    groups = group_tracks(tracks)
    # TODO stand-in until speaking.identify is there
    people = []
    names = {}
    for g in groups:
        name = chr(65 + len(people))
        people.append(Person(name, tuple(tracks[i] for i in g), True))
    for speaker in dict.fromkeys(t.speaker for t in turns):
        best = 0.0
        for person in people:
            common = sum(
                max(0.0, min(t.end, k.end) - max(t.start, k.start))
                for t in turns
                if t.speaker == speaker
                for k in person.tracks
            )
            if common > best:
                best, names[speaker] = common, person.name
        if speaker not in names:
            names[speaker] = chr(65 + len(people))
            people.append(Person(names[speaker], (), True))
    turns = [Turn(t.start, t.end, names[t.speaker]) for t in turns]
    cuts = tuple(shot_changes(seen).tolist()) if seen else ()
    return PeopleFound(tuple(people), tuple(turns), cuts, {})
