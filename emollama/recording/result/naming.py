"""People of an analysis under other names, or two of them as one, wherever they occur."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.manifest.sample import Sample
from emollama.recording.export.tiers import clean
from emollama.recording.parts import Analysis, Person, Timeline, Turn

LONGEST_NAME = 40
"""Characters of a person's name."""


def renamed(analysis: Analysis, person: str, name: str) -> Analysis:
    """The analysis with a person under another name.

    Raises:
        EmollamaError: there is no such person, the name is empty, too long or another's.
    """
    _require(analysis, person)
    name = clean(name)
    if not name:
        raise EmollamaError(f"write a new name for {person}")
    if len(name) > LONGEST_NAME:
        raise EmollamaError(f"a name may have at most {LONGEST_NAME} characters, not {len(name)}")
    if name != person and name in (one.name for one in analysis.people):
        raise EmollamaError(f"there is a {name} already; merge {person} and {name} if they are one")
    return _under(analysis, {person: name})


def merged(analysis: Analysis, person: str, into: str) -> Analysis:
    """The analysis with two people as one, called `into`.

    Their answers stay as they are: each was measured against the norm of whom it was thought to be.

    Raises:
        EmollamaError: there is no such person, or both are the same.
    """
    _require(analysis, person)
    _require(analysis, into)
    if person == into:
        raise EmollamaError(f"choose two people to merge, not {person} twice")
    found = _under(analysis, {person: into})
    note = f"{person} and {into} were merged by hand; each answer is against the norm it had before"
    return replace(found, notes=(*found.notes, note))


def named_samples(samples: Sequence[Sample], analysis: Analysis, media: str) -> list[Sample]:
    """The segments' samples with the people's names as they are now, and the file where it will be.

    Ids are left as they are: by them corrected labels find their answers.
    """
    people = {segment.id: segment.person for segment in analysis.segments}
    return [
        sample.model_copy(
            update={
                "speaker": f"{sample.group}-{people[sample.id]}",
                **{f: media for f in ("video", "audio") if getattr(sample, f) is not None},
            }
        )
        for sample in samples
    ]


def _require(analysis: Analysis, person: str) -> None:
    names = [one.name for one in analysis.people]
    if person not in names:
        raise EmollamaError(f"there is no person '{person[:80]}'{did_you_mean(person, names)}")


def _under(analysis: Analysis, names: Mapping[str, str]) -> Analysis:
    """With people by other names; those who share one then are one."""

    def name(person: str) -> str:
        return names.get(person, person)

    people: dict[str, Person] = {}
    for one in analysis.people:
        before = people.get(name(one.name), Person(name(one.name), (), False))
        tracks = sorted((*before.tracks, *one.tracks), key=lambda track: track.start)
        people[before.name] = Person(before.name, tuple(tracks), before.heard or one.heard)
    lines: dict[str, Timeline] = {}
    for person, line in analysis.timelines.items():
        known = lines.get(name(person))
        lines[name(person)] = line if known is None else _both(known, line)
    segments = tuple(replace(s, person=name(s.person)) for s in analysis.segments)
    # Sorted by start, then person, as ever.
    order = sorted(range(len(segments)), key=lambda i: (segments[i].start, segments[i].person))
    return replace(
        analysis,
        people=tuple(people.values()),
        turns=_turns([replace(t, speaker=name(t.speaker)) for t in analysis.turns]),
        segments=tuple(segments[i] for i in order),
        answers=tuple(analysis.answers[i] for i in order),
        timelines=lines,
    )


def _turns(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """Turns of one speaker that overlap, as one."""
    kept: list[Turn] = []
    last: dict[str, int] = {}
    for turn in sorted(turns, key=lambda t: (t.start, t.end)):
        at = last.get(turn.speaker)
        if at is not None and turn.start < kept[at].end:
            kept[at] = replace(kept[at], end=max(kept[at].end, turn.end))
        else:
            last[turn.speaker] = len(kept)
            kept.append(turn)
    return tuple(kept)


def _both(one: Timeline, other: Timeline) -> Timeline:
    """What is known of either; of both, what the first says."""

    def known(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.where(np.isfinite(a), a, b)

    return Timeline(
        one.times,
        known(one.expressions, other.expressions),
        one.speaking | other.speaking,
        known(one.loudness, other.loudness),
        known(one.pitch, other.pitch),
        {
            name: known(one.values[name], other.values[name])
            if name in one.values and name in other.values
            else (one.values | other.values)[name]
            for name in {**one.values, **other.values}
        },
    )
