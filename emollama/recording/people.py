"""Who is seen and heard in a recording, from all its blocks: people, turns, cuts, timelines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emollama.recording.blocks import Block
from emollama.recording.parts import Person, Timeline, Turn
from emollama.recording.people_seen import MOST, group_tracks
from emollama.recording.speaking import identify
from emollama.recording.timelines import timelines
from emollama.recording.tracks import face_tracks, shot_changes


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
    """Who is seen and heard; of a crowd those who are seen longest.

    Args:
        blocks: of the whole recording, in order, with vectors.
        duration: seconds of the recording.
        count: number of people who speak; None to find it out.
    """
    heard = [block.voice for block in blocks if block.voice is not None]
    seen = [block.picture for block in blocks if block.picture is not None]
    tracks = face_tracks(seen)
    groups = group_tracks(tracks)
    people, turns = identify(heard, tracks, groups[:MOST], count)
    notes = []
    if len(groups) > MOST:
        notes.append(
            f"{len(groups)} faces are told apart: the {MOST} who are seen longest are followed"
        )
    if seen and not groups:
        notes.append("no face is seen long enough to be followed")
    return PeopleFound(
        tuple(people),
        tuple(turns),
        tuple(shot_changes(seen).tolist()),
        timelines(people, turns, heard, duration),
        tuple(notes),
    )
