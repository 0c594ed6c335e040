"""Who is seen and heard in a recording, from all its blocks: people, turns, cuts, timelines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emollama.recording.blocks import Block
from emollama.recording.parts import FACE_RATE, Person, Timeline, Turn
from emollama.recording.people_seen import MOST, group_tracks, longest
from emollama.recording.speaking import identify
from emollama.recording.timelines import timelines
from emollama.recording.tracks import face_tracks, shot_changes
from emollama.recording.work import write_arrays

LEAST_SEEN = 2.0
"""Seconds; a face that is seen for less in all is nobody's."""


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
    followed = face_tracks(seen)
    tracks = longest(followed)
    cuts = shot_changes(seen).tolist()
    groups = [
        group
        for group in group_tracks(tracks, cuts)
        if sum(len(tracks[i].times) for i in group) >= LEAST_SEEN * FACE_RATE
    ]
    people, turns = identify(heard, tracks, groups[:MOST], count)
    notes = []
    if len(tracks) < len(followed):
        notes.append(
            f"{len(followed)} stretches of faces: the {len(tracks)} longest are told apart"
        )
    if len(groups) > MOST:
        notes.append(
            f"{len(groups)} faces are told apart: the {MOST} who are seen longest are followed"
        )
    if heard and not turns:
        notes.append("nobody speaks")
    if seen and not groups:
        notes.append("no face is seen long enough to be followed")
    return PeopleFound(
        tuple(people),
        tuple(turns),
        tuple(cuts),
        timelines(people, turns, heard, duration),
        tuple(notes),
    )


def write_vectors(path: Path, blocks: Sequence[Block], people: Sequence[Person]) -> None:
    """Write them for their owner alone.

    `faces` float32 [N, D] of each face track, `face_people` [N] whose it is, `face_times` [N, 2] in
    seconds; `voices` float32 [K, 256] of windows of speech, `voice_times` [K, 2].

    Raises:
        EmollamaError: the file cannot be written.
    """
    tracks = [(person.name, track) for person in people for track in person.tracks]
    heard = [block.voice for block in blocks if block.voice is not None]
    vectors = [voice.vectors for voice in heard if voice.vectors is not None]
    write_arrays(
        path,
        {
            "faces": _rows([track.appearance for _, track in tracks]),
            "face_people": np.array([name for name, _ in tracks], np.str_),
            "face_times": np.array([(t.start, t.end) for _, t in tracks]).reshape(-1, 2),
            "voices": np.concatenate([np.zeros((0, 256), np.float32), *vectors]),
            "voice_times": np.concatenate([np.zeros((0, 2)), *(v.windows for v in heard)]),
        },
    )


def _rows(vectors: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack(vectors) if vectors else np.zeros((0, 0), np.float32)
