"""How many voices there are, and which stretch of speech is whose.

A voice vector tells the speaker, and to a lesser degree how excited they are: somebody angry is far
from themselves sad. Two directions in which emotion moves the vectors of one person are therefore
taken out before voices are compared. They, and the middle of all voices, were found on Java-SED
(MIT licence) by `python -m benchmarks.recordings.voice_space`; they belong to no single person.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from sklearn.cluster import AgglomerativeClustering

from emollama.base.files import read_json

MOST_SPEAKERS = 8
"""Speakers that are looked for where their number is not given."""

_SPACE = Path(__file__).with_name("voice_space.json")
_APART = 1.02  # cosine distance from which two groups of stretches are two speakers
_LEAST = 0.15  # share of the speech below which a group is no speaker of its own
_ONE = 0.8  # cosine of the two halves of all speech above which one person speaks
_ROUNDS = 5  # of moving stretches to the speaker they are nearest to


@dataclass(frozen=True)
class Stretches:
    """Uninterrupted stretches of speech, one voice each.

    Attributes:
        spans: float64 [S, 2], seconds.
        vectors: float64 [S, 256], unit vectors of the voice.
    """

    spans: np.ndarray
    vectors: np.ndarray

    @property
    def seconds(self) -> np.ndarray:
        """How long each is, float64 [S]."""
        return self.spans[:, 1] - self.spans[:, 0]


def group_voices(stretches: Stretches, count: int | None = None) -> np.ndarray:
    """The speaker of each stretch, int [S], from 0.

    Args:
        stretches: of a whole recording.
        count: number of speakers; None where it is not known (then up to `MOST_SPEAKERS`).
    """
    total = len(stretches.spans)
    if total < 2 or count == 1:
        return np.zeros(total, int)
    seconds, places = stretches.seconds, within_recording(stretches)
    if count is None:
        count = _count(without_emotion(stretches.vectors), places, seconds)
    return divide(places, seconds, min(count, total))


def within_recording(stretches: Stretches) -> np.ndarray:
    """Unit vectors [S, 256] of what tells a stretch from the others of the recording.

    What all voices of a recording share (the room, the microphone) tells none of them apart.
    """
    calm = without_emotion(stretches.vectors)
    return unit(calm - np.average(calm, axis=0, weights=stretches.seconds))


def without_emotion(vectors: np.ndarray) -> np.ndarray:
    """Vectors [S, 256] from the middle of all voices, without what emotion changes most."""
    middle, directions = _space()
    moved = vectors - middle
    return moved - (moved @ directions.T) @ directions


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors [..., D] brought to length 1; those of no length stay."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def middles(places: np.ndarray, seconds: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The direction of each group, float64 [G, D], long stretches counting more."""
    return unit(np.array([seconds[groups == g] @ places[groups == g] for g in np.unique(groups)]))


def divide(places: np.ndarray, seconds: np.ndarray, count: int) -> np.ndarray:
    """Exactly `count` groups by Ward's rule, then each stretch to the group it is nearest to."""
    if count < 2:
        return np.zeros(len(places), int)
    groups = AgglomerativeClustering(count, linkage="ward").fit_predict(places)
    for _ in range(_ROUNDS):
        nearest = np.argmax(places @ middles(places, seconds, groups).T, axis=1)
        if len(np.unique(nearest)) < count or (nearest == groups).all():
            break
        groups = nearest
    return groups


@cache
def _space() -> tuple[np.ndarray, np.ndarray]:
    """The middle of all voices [256], and the directions of emotion [2, 256]."""
    read = read_json(_SPACE)
    return np.array(read["middle"]), np.array(read["directions"])


def _count(calm: np.ndarray, places: np.ndarray, seconds: np.ndarray) -> int:
    """How many speakers there are."""
    one, other = middles(calm, seconds, divide(places, seconds, 2))
    if one @ other > _ONE:
        return 1
    model = AgglomerativeClustering(
        None, metric="cosine", linkage="average", distance_threshold=_APART
    )
    groups = _absorbed(places, seconds, model.fit_predict(places))
    return int(np.clip(len(np.unique(groups)), 2, MOST_SPEAKERS))


def _absorbed(places: np.ndarray, seconds: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Groups without the small ones, whose stretches go to the nearest of the others."""
    while True:
        names = np.unique(groups)
        shares = np.array([seconds[groups == name].sum() for name in names]) / seconds.sum()
        least = int(np.argmin(shares))
        if len(names) == 1 or shares[least] >= _LEAST:
            return groups
        centres = np.delete(middles(places, seconds, groups), least, 0)
        leaving = groups == names[least]
        nearest = np.argmax(places[leaving] @ centres.T, axis=1)
        groups = groups.copy()
        groups[leaving] = np.delete(names, least)[nearest]
