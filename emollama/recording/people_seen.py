"""Which face tracks show the same person, within one recording only.

Nobody jumps: a track that begins where another ended, as large as that, is the same person if they
look somewhat alike and the picture goes on. It goes on where there is no cut, and across a cut at
which a face stays that looks quite the same (a jump cut, or one of several pictures in the
picture). Then tracks are joined bottom-up by how alike they look, the most alike first, until the
nearest two groups are too different. Two tracks at the same time never are one person.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emollama.recording.parts import FACE_RATE, FaceTrack

MOST = 8
"""People that are kept in a crowd: those who are seen longest."""
MOST_TRACKS = 3000
"""Tracks that are compared: those that last longest; each is compared with each."""
ALIKE = 0.18
"""Distance of appearance up to which two groups of tracks are one person."""

_STAYS = 0.28
"""The same for a track that begins where another ended, while the picture goes on."""

_WAIT, _AT_ONCE = 2.0, 0.3  # seconds between such tracks, and between those of two faces
_DOUBLED = 0.8  # seconds for which one face may be in two tracks
_MOVED, _GROWN = 0.5, 1.5  # face widths, and ratio of sizes, between them
_TOGETHER = 1.0 / FACE_RATE  # seconds that tracks of one person may overlap by rounding


def group_tracks(tracks: Sequence[FaceTrack], cuts: Sequence[float] = ()) -> list[list[int]]:
    """Indices of the tracks of each person, who is seen longest first.

    Everybody is returned: in a crowd the caller keeps the first `MOST` and counts the rest.

    Args:
        tracks: of a recording, sorted by start.
        cuts: times of its shot changes.
    """
    count = len(tracks)
    if not count:
        return []
    weights = np.array([float(len(track.times)) for track in tracks])
    looks = np.stack([track.appearance for track in tracks]).astype(np.float64)
    starts, ends = (np.array([getattr(t, n) for t in tracks]) for n in ("start", "end"))
    common = np.minimum(ends[:, None], ends) - np.maximum(starts[:, None], starts)
    apart = common > _TOGETHER
    np.fill_diagonal(apart, False)
    for first, second in zip(*np.nonzero(apart & (common <= _DOUBLED)), strict=True):
        # Two people cannot be in one place: one face was followed twice for a moment.
        early, late = sorted((first, second), key=lambda i: starts[i])
        if _same_place(tracks[early].boxes[-1], tracks[late].boxes[0]):
            apart[first, second] = False
    squares = (looks**2).sum(1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * looks @ looks.T, 0))
    distances[apart] = np.inf
    np.fill_diagonal(distances, np.inf)
    places = np.arange(count)
    groups = {i: [i] for i in range(count)}
    place = list(range(count))
    for first, second in _staying(tracks, distances, np.asarray(cuts, np.float64)):
        here, there = place[first], place[second]
        if here != there and np.isfinite(distances[here, there]):
            _join(distances, weights, here, there)
            groups[here] += groups.pop(there)
            place = [here if one == there else one for one in place]
    # The nearest of each: to look through all pairs at every join would take cubic time.
    nearest = distances.argmin(1)
    apart_by = distances[places, nearest]
    while True:
        here = int(apart_by.argmin())
        there = int(nearest[here])
        if not apart_by[here] <= ALIKE:
            break
        changed = (nearest == here) | (nearest == there)
        changed[[here, there]] = True
        _join(distances, weights, here, there)
        groups[here] += groups.pop(there)
        # A mean is no nearer than the nearer of two: to others nothing has come nearer.
        nearest[changed] = distances[changed].argmin(1)
        apart_by[changed] = distances[places[changed], nearest[changed]]
    people = [sorted(group) for group in groups.values()]
    return sorted(people, key=lambda group: (-sum(weights[group]), group[0]))


def longest(tracks: Sequence[FaceTrack]) -> list[FaceTrack]:
    """The `MOST_TRACKS` tracks that last longest, in their order."""
    lengths = np.array([track.end - track.start for track in tracks])
    kept = np.argsort(-lengths, kind="stable")[:MOST_TRACKS]
    return [tracks[i] for i in sorted(kept.tolist())]


def _join(distances: np.ndarray, weights: np.ndarray, here: int, there: int) -> None:
    """Make one group of two: its distance to others is the mean over its seconds.

    A group that may not be joined with one of the two may not be joined with both.
    """
    total = weights[here] + weights[there]
    mean = (distances[here] * weights[here] + distances[there] * weights[there]) / total
    distances[here], distances[:, here] = mean, mean
    distances[there], distances[:, there] = np.inf, np.inf
    distances[here, here] = np.inf
    weights[here], weights[there] = total, 0.0


def _staying(
    tracks: Sequence[FaceTrack], distances: np.ndarray, cuts: np.ndarray
) -> list[tuple[int, int]]:
    """Pairs of tracks the second of which goes on where the first ended, the most alike first."""
    found: list[tuple[float, int, int, bool]] = []
    starts, ends = (np.array([getattr(t, n) for t in tracks]) for n in ("start", "end"))
    gaps = starts - ends[:, None]
    soon = (gaps >= -_DOUBLED) & (gaps <= _WAIT)
    # Of two who could go on here, it is the one who looks more like it.
    near = np.where(soon, distances, np.inf)
    sure: list[tuple[int, int]] = []
    for first, second in np.argwhere(soon).tolist():
        before, later = tracks[first], tracks[second]
        if not _same_place(before.boxes[-1], later.boxes[0]):
            continue
        alike = float(distances[first, second])
        cut = bool(((cuts > before.end - 1.0) & (cuts <= later.start + 1e-6)).any())
        if alike <= _STAYS and alike <= min(near[first].min(), near[:, second].min()):
            found.append((alike, first, second, cut))
        if cut and alike <= ALIKE:
            sure.append((first, second))
    return [
        (first, second)
        for alike, first, second, cut in sorted(found)
        if not cut
        or alike <= ALIKE
        or any(
            one != first
            and other != second
            and abs(tracks[one].end - tracks[first].end) <= _AT_ONCE
            and abs(tracks[other].start - tracks[second].start) <= _AT_ONCE
            for one, other in sure
        )
    ]


def _same_place(before: np.ndarray, after: np.ndarray) -> bool:
    size = np.maximum(before[2:] - before[:2], 1e-6)
    moved = np.hypot(*(((after[:2] + after[2:]) - (before[:2] + before[2:])) / 2 / size))
    grown = np.abs(np.log(np.maximum(after[2:] - after[:2], 1e-6) / size)).max()
    return bool(moved <= _MOVED and grown <= np.log(_GROWN))
