"""Voice and face belong together where lips move with the voice, and only there."""

from __future__ import annotations

from emollama.recording.speaking import identify
from tests.recording.made_up import Said, blocks, track

TALK: list[Said] = [(i * 4.0 + 1, i * 4.0 + 4, i % 2) for i in range(20)]
END = 82.0


def spoken(who: int) -> list[tuple[float, float]]:
    return [(start, end) for start, end, speaker in TALK if speaker == who]


def test_each_voice_belongs_to_the_lips_that_move_with_it() -> None:
    # The second to speak is seen on the first track.
    tracks = [track(0, END, spoken(1)), track(0.5, END, spoken(0))]
    people, turns = identify(blocks(TALK, END), tracks, [[0], [1]])
    assert [(p.name, p.heard) for p in people] == [("A", True), ("B", True)]
    assert people[0].tracks == (tracks[0],)
    assert [turn.speaker for turn in turns] == ["B", "A"] * 10


def test_a_face_whose_lips_move_most_but_at_any_time_is_not_the_speaker() -> None:
    tracks = [track(0, END, restless=0.9), track(0.5, END, spoken(0) + spoken(1))]
    said = [(start, end, 0) for start, end, _ in TALK]
    people, turns = identify(blocks(said, END), tracks, [[0], [1]])
    assert [(p.name, p.heard) for p in people] == [("A", False), ("B", True)]
    assert {turn.speaker for turn in turns} == {"B"}


def test_somebody_heard_but_never_seen_has_no_tracks() -> None:
    people, turns = identify(blocks(TALK, END), [track(0, END, spoken(0))], [[0]])
    assert [(p.name, len(p.tracks), p.heard) for p in people] == [("A", 1, True), ("B", 0, True)]
    assert [turn.speaker for turn in turns] == ["A", "B"] * 10


def test_a_voice_stays_a_persons_while_their_face_is_away() -> None:
    away = [track(0, 30, spoken(0)), track(60, END, spoken(0)), track(0, END, spoken(1))]
    people, turns = identify(blocks(TALK, END), away, [[0, 1], [2]])
    assert [len(p.tracks) for p in people] == [2, 1]
    assert [turn.speaker for turn in turns] == ["A", "B"] * 10


def test_sound_without_picture_and_picture_without_sound() -> None:
    people, turns = identify(blocks(TALK, END), [], [])
    assert [(p.name, p.tracks, p.heard) for p in people] == [("A", (), True), ("B", (), True)]
    assert len(turns) == 20
    people, turns = identify([], [track(0, 9)], [[0]])
    assert [(p.name, len(p.tracks), p.heard) for p in people] == [("A", 1, False)] and not turns
