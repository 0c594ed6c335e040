"""Tracks and people of made-up faces: they cross, leave and return."""

from __future__ import annotations

import numpy as np
import pytest

from emollama.recording.parts import FaceTrack
from emollama.recording.people_seen import group_tracks
from emollama.recording.picture import PictureBlock
from emollama.recording.tracks import face_tracks
from tests.growth import growth

RATE = 12.5
LOOKS = np.eye(8, dtype=np.float32) * 0.145
"""People 0.205 apart, the median of two of Java-SED from frame to frame (one with itself: 0.07)."""


def block(start: float, seen: dict[float, list[tuple[int, float]]]) -> PictureBlock:
    """A block in which, at these times, these people's faces (of width .1) are at these places."""
    generator = np.random.default_rng(round(start))
    times = np.array(sorted(seen))
    frames = [i for i, time in enumerate(times.tolist()) for _ in seen[time]]
    faces = [face for time in times.tolist() for face in seen[time]]
    boxes = np.array([(x, 0.3, x + 0.1, 0.5) for _, x in faces], np.float32).reshape(-1, 4)
    looks = np.array([LOOKS[who] for who, _ in faces], np.float32).reshape(-1, 8)
    looks += generator.normal(0, 0.02, looks.shape).astype(np.float32)  # 0.08 from face to face
    count = len(faces)
    return PictureBlock(
        times, np.zeros(len(times), np.float32), np.zeros((2, 36, 64, 3), np.uint8),
        np.ones(len(times), bool), np.array(frames, np.int32), boxes,
        np.ones(count, np.float32), np.zeros((count, 5, 2), np.float32),
        np.full((count, 7), 1 / 7, np.float32), np.zeros(0, np.int32), np.zeros(0, np.int32),
        np.zeros(0, np.float32), looks,
    )  # fmt: skip


def who(track: FaceTrack) -> int:
    return int(np.argmax(track.appearance))


@pytest.mark.parametrize("seconds", [2.0, 3.0, 4.0])
def test_faces_that_cross_do_not_swap(seconds: float) -> None:
    """One walks behind the other, hidden while they overlap by half, and both walk back."""
    seen: dict[float, list[tuple[int, float]]] = {}
    for i in range(60):
        time = i / 5
        share = np.clip((time - 2) / seconds, 0, 1) - np.clip((time - 7) / seconds, 0, 1)
        one, two = 0.1 + 0.6 * float(share), 0.7 - 0.6 * float(share)
        seen[time] = [(0, one)] if abs(one - two) < 0.05 else [(0, one), (1, two)]
    tracks = face_tracks([block(0, seen)])
    for track in tracks:
        own = [dict(seen[t]).get(who(track), -1.0) for t in track.times.tolist()]
        np.testing.assert_allclose(track.boxes[:, 0], own, atol=1e-6)
    assert len(tracks) == 2


def test_faces_that_meet_and_turn_back_do_not_swap() -> None:
    """Motion alone would say that they passed each other: looks decide."""
    seen: dict[float, list[tuple[int, float]]] = {}
    for i in range(40):
        share = max(0.0, abs(i / 5 - 4) - 0.3)
        one, two = 0.4 - 0.08 * share, 0.4 + 0.08 * share
        seen[i / 5] = [(0, one)] if share < 0.25 else [(0, one), (1, two)]
    for track in face_tracks([block(0, seen)]):
        own = [dict(seen[t]).get(who(track), -1.0) for t in track.times.tolist()]
        np.testing.assert_allclose(track.boxes[:, 0], own, atol=1e-6)


def test_a_track_goes_on_over_a_block_and_a_short_gap_and_not_over_a_long_one() -> None:
    first = block(0, {i / 5: [(0, 0.2)] for i in range(10)})
    second = block(2, {i / 5: [] if 12 <= i < 16 else [(0, 0.2)] for i in range(10, 20)})
    third = block(4, {i / 5: [] if i < 27 else [(0, 0.2)] for i in range(20, 40)})
    tracks = face_tracks([first, second, third])
    assert [(t.start, round(t.end, 1)) for t in tracks] == [(0.0, 3.9), (5.4, 7.9)]


def test_a_glimpse_and_an_uncertain_face_are_no_tracks() -> None:
    seen = block(0, {i / 5: [(0, 0.2)] if i == 3 or i > 20 else [] for i in range(40)})
    assert len(face_tracks([seen])) == 1
    seen.scores[:] = 0.75
    assert face_tracks([seen]) == []


def test_who_returns_is_the_same_and_who_is_there_at_once_is_not() -> None:
    def track(start: float, end: float, look: int) -> FaceTrack:
        times = np.arange(start, end, 0.2)
        n = len(times)
        return FaceTrack(
            times, np.zeros((n, 4), np.float32), np.ones(n, np.float32),
            np.zeros((n, 7), np.float32), times, np.zeros(n, np.float32), LOOKS[look],
        )  # fmt: skip

    twins = [track(0, 10, 0), track(0, 20, 1), track(5, 9, 0), track(30, 40, 0), track(30, 35, 1)]
    assert group_tracks(twins) in ([[1, 4], [0, 3], [2]], [[1, 4], [2, 3], [0]])
    assert group_tracks([]) == []


def still(start: float, end: float, look: float, place: float = 0.1) -> FaceTrack:
    """A face that stays at a place; looks that differ by .1 lie .1 apart."""
    times = np.arange(start, end, 0.2)
    count = len(times)
    box = (place, 0.3, place + 0.2, 0.7)
    nothing = np.zeros(0, np.float32)
    return FaceTrack(
        times, np.tile(np.array(box, np.float32), (count, 1)), np.ones(count, np.float32),
        np.zeros((count, 7), np.float32), nothing, nothing, np.array([look, 0], np.float32),
    )  # fmt: skip


def test_nobody_jumps_while_the_picture_goes_on() -> None:
    changed = [still(0, 5, 0.0), still(5, 10, 0.24)]
    assert group_tracks(changed) == [[0, 1]]
    assert group_tracks(changed, cuts=[5.0]) == [[0], [1]]
    # Somebody beside them stays across the cut: it is a jump cut, not another picture.
    beside = [still(0, 5, 0.9, 0.6), still(5, 10, 0.95, 0.6)]
    both = [changed[0], beside[0], changed[1], beside[1]]
    assert group_tracks(both, cuts=[5.0]) == [[0, 2], [1, 3]]
    elsewhere = [still(0, 5, 0.0), still(5, 10, 0.24, 0.6)]
    assert group_tracks(elsewhere) == [[0], [1]]


def test_a_film_of_many_shots_is_grouped_in_quadratic_time() -> None:
    generator = np.random.default_rng(0)

    def group(count: int) -> None:
        shots = [still(i, i + 0.9, float(i % 40) + generator.normal(0, 0.02)) for i in range(count)]
        groups = group_tracks(shots)
        assert [sorted({i % 40 for i in group}) for group in groups] == [[i] for i in range(40)]

    assert growth(group, 400, 1600) < 24  # 64 where all pairs are looked at for each join


def test_one_face_followed_twice_for_a_moment_is_one_person() -> None:
    doubled = [still(0, 5, 0.0), still(4.4, 10, 0.1)]
    assert group_tracks(doubled) == [[0, 1]]
    assert group_tracks([doubled[0], still(4.4, 10, 0.1, 0.6)]) == [[1], [0]]
