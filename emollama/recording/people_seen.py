"""Which face tracks show the same person, within one recording only.

Tracks are joined bottom-up by how alike they look, the most alike first, until the nearest two
groups are too different. Two tracks at the same time never are one person.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emollama.recording.parts import FACE_RATE, FaceTrack

MOST = 8
"""People that are kept in a crowd: those who are seen longest."""
ALIKE = 0.18
"""Distance of appearance up to which two groups of tracks are one person."""

_TOGETHER = 1.0 / FACE_RATE  # seconds that tracks of one person may overlap by rounding


def group_tracks(tracks: Sequence[FaceTrack]) -> list[list[int]]:
    """Indices of the tracks of each person, who is seen longest first.

    Everybody is returned: in a crowd the caller keeps the first `MOST` and counts the rest.
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
    squares = (looks**2).sum(1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * looks @ looks.T, 0))
    distances[apart] = np.inf
    np.fill_diagonal(distances, np.inf)
    groups = {i: [i] for i in range(count)}
    while True:
        here, there = divmod(int(distances.argmin()), count)
        if not distances[here, there] <= ALIKE:
            break
        _join(distances, weights, here, there)
        groups[here] += groups.pop(there)
    people = [sorted(group) for group in groups.values()]
    return sorted(people, key=lambda group: (-sum(weights[group]), group[0]))


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
