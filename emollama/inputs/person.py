"""Person standardisation: a person's features are measured against that person's own clips.

A `PersonPrior` holds what the training corpus says of people: how far their means lie apart, how a
clip of each label departs from its person's mean, and how noisy one clip is. With it, some
unlabelled clips of a person give that person's mean and deviation, shrunk towards the corpus. The
features of the person's clips are then moved and scaled so that the model's own standardiser turns
them into deviations from the person; without any clip they stay exactly as they are.

The mean of few clips of one kind is the mean of that emotion rather than of the person. So the
offset of a person is estimated by four steps of expectation and maximisation: the mean of each clip
less what its expected label explains, shrunk in every column by its error over people's spread. The
error has three parts: the noise of a clip, the person's own habit of showing that label, and the
doubt about the label; the last two do not average out over clips of one label. The more clips there
are and the more they vary, the more the plain mean and deviation are trusted instead. How much they
vary is read from the features: the variance between clips beyond their noise, over the part of it
that labels explain.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np

from emollama.encoders.base import FeatureTrack

STEPS = 4
"""Steps of expectation and maximisation."""
CLIPS_FOR_MEAN = 4
"""Number of varied clips at which the plain mean is trusted half."""
CLIPS_FOR_DEVIATION = 8
"""Number of varied clips at which the person's own deviation is trusted half."""
SMALLEST = 0.2
"""Smallest deviation of a person, in deviations of the corpus."""
_LEAST = 1e-12


@dataclass(frozen=True)
class ClipMoments:
    """Mean and variance over the steps of a clip, float64 [D]; NaN in columns that it lacks."""

    mean: np.ndarray
    variance: np.ndarray

    def only(self, columns: np.ndarray) -> ClipMoments:
        """The same with the other columns lacking; `columns`: bool [D]."""
        return ClipMoments(
            np.where(columns, self.mean, np.nan), np.where(columns, self.variance, np.nan)
        )


@dataclass(frozen=True, eq=False)
class Person:
    """A person as one model sees them: the estimate that the person's clips gave.

    Attributes:
        clips: number of clips.
        mean: float64 [D] of all columns.
        deviation: float64 [D].
        prior: `PersonPrior.key` of the model.
        variety: 0 where the clips vary as clips of one label do, 1 where as clips of all labels.
    """

    clips: int
    mean: np.ndarray
    deviation: np.ndarray
    prior: str
    variety: float = 0.0

    def in_words(self, name: str | None = None) -> str:
        """What clips are measured against: "4 clips of this person", or of 'ann' by `name`."""
        who = "this person" if name is None else f"'{name}'"
        return f"{self.clips} clip{'s' if self.clips > 1 else ''} of {who}"


@dataclass(frozen=True)
class Affine:
    """A change of a track's columns: values * scale + shift, float32 [D] each."""

    scale: np.ndarray
    shift: np.ndarray

    def apply(self, track: FeatureTrack) -> FeatureTrack:
        """The track with changed values."""
        return replace(track, values=track.values * self.scale + self.shift)


@dataclass(frozen=True)
class PersonPrior:
    """What a training corpus says of people, over the columns of all inputs side by side.

    Attributes:
        widths: by input, in the order of the columns.
        labels: K labels; () if clips have none, which leaves the plain mean only.
        mean, deviation: [D], of all training steps; the rest is in units of `deviation`.
        within: [D], deviation of steps about the mean of their person.
        noise: [D], variance of a clip's mean about the mean of its person and label.
        noisiest: that variance of the person with the most of it, over that of all.
        faces: the inputs that show the face, which may be that of another person than is heard.
        habit: [D], variance of how a person shows a label about person and label: it does not
            average out over clips of one label.
        spread: [D], variance of people's means.
        classes: [K, D], mean of a label's clips less that of their people.
        weights, bias: [K, D] and [K], a regression of labels on (clip - person) / within.
    """

    widths: Mapping[str, int]
    labels: tuple[str, ...]
    mean: np.ndarray
    deviation: np.ndarray
    within: np.ndarray
    noise: np.ndarray
    habit: np.ndarray
    spread: np.ndarray
    classes: np.ndarray
    weights: np.ndarray
    bias: np.ndarray
    noisiest: float = 1.0
    faces: tuple[str, ...] = ()
    # What training asks again for every clip of a person.
    _affines: WeakKeyDictionary[Person, dict[str, Affine]] = field(
        default_factory=WeakKeyDictionary, init=False, repr=False, compare=False
    )

    @cached_property
    def slices(self) -> dict[str, slice]:
        """The columns of each input."""
        return column_slices(self.widths)

    @cached_property
    def seen(self) -> np.ndarray:
        """Bool [D], whether a column is of the face."""
        return seen_columns(self.widths, self.faces)

    @cached_property
    def key(self) -> str:
        """Identifies the prior: people estimated with another one do not fit."""
        digest = hashlib.sha256(repr((list(self.widths.items()), self.labels)).encode())
        for values in (self.mean, self.deviation, self.within, self.classes, self.weights):
            digest.update(np.ascontiguousarray(values, dtype=np.float32).tobytes())
        return digest.hexdigest()[:16]

    def moments(self, tracks: Mapping[str, FeatureTrack | None]) -> ClipMoments:
        """Moments of one clip over all columns, from its tracks by input."""
        parts = [tracks.get(name) for name in self.widths]
        return moments_of(parts, list(self.widths.values()))

    def estimate(self, clips: Sequence[ClipMoments], neutral: bool = False) -> Person | None:
        """The person that these clips belong to; None without any clip.

        Args:
            clips: unlabelled clips of one person.
            neutral: whether the user says that all of them are neutral.
        """
        if not clips:
            return None
        means = (np.stack([c.mean for c in clips]) - self.mean) / self.deviation
        variances = np.stack([c.variance for c in clips]) / self.deviation**2
        known = (~np.isnan(means)).sum(axis=0)
        offset, shrinkage = self._offset(means, neutral)
        variety = self._variety(means)
        trust = 0.0 if neutral else variety * known / (known + CLIPS_FOR_MEAN)
        offset = trust * mean_of_known(means) + (1 - trust) * offset
        own = mean_of_known(variances + (means - offset) ** 2)
        trust = 0.0 if neutral else variety * known / (known + CLIPS_FOR_DEVIATION)
        pooled = shrinkage * self.within**2 + (1 - shrinkage)
        deviation = np.maximum(np.sqrt(trust * own + (1 - trust) * pooled), SMALLEST)
        return Person(
            clips=len(clips),
            mean=self.mean + self.deviation * offset,
            deviation=self.deviation * np.where(known, deviation, 1.0),
            prior=self.key,
            variety=variety,
        )

    def _variety(self, means: np.ndarray) -> float:
        """How much clips [n, D] vary: 0 as those of one label, 1 as those of all labels.

        With the noise of the noisiest person, for some corpora have noisier clips than others.
        """
        if not self.labels:
            return 1.0
        known = (~np.isnan(means)).sum(axis=0)
        several = known > 1
        between = (
            mean_of_known((means - mean_of_known(means)) ** 2) * known / np.maximum(known - 1, 1)
        )
        labels = (self.classes**2).mean(axis=0) + self.habit
        excess = (between - self.noisiest * self.noise)[several].sum() / max(
            labels[several].sum(), _LEAST
        )
        return float(np.clip(excess, 0.0, 1.0))

    def _offset(self, means: np.ndarray, neutral: bool) -> tuple[np.ndarray, np.ndarray]:
        """The person's offset [D] by EM, and its shrinkage [D]."""
        known = (~np.isnan(means)).sum(axis=0)
        single = 1 / np.maximum(known, 1)
        if not self.labels:
            shrinkage = np.where(known, self.spread / (self.spread + self.noise * single), 0.0)
            return shrinkage * mean_of_known(means), shrinkage
        offset = np.zeros(means.shape[1])
        expected = np.zeros((len(means), len(self.labels)))
        for _ in range(STEPS):
            if neutral and "neutral" in self.labels:
                expected[:, self.labels.index("neutral")] = 1.0
            else:
                expected = self.expected(means - offset)
            share = expected.mean(axis=0)
            alike = (share**2).sum()
            explained = expected @ self.classes
            doubt = (expected @ self.classes**2 - explained**2).mean(axis=0)
            error = self.noise * single + self.habit * alike + doubt * np.maximum(single, alike)
            shrinkage = np.where(known, self.spread / (self.spread + error), 0.0)
            offset = shrinkage * mean_of_known(means - explained)
        return offset, shrinkage

    def expected(self, departures: np.ndarray) -> np.ndarray:
        """Probabilities [n, K] of the labels of clips [n, D], given as departures from a person."""
        scores = np.nan_to_num(departures / self.within) @ self.weights.T + self.bias
        exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(exponents / exponents.sum(axis=1, keepdims=True))

    def joined(self, heard: Person | None, seen: Person | None) -> Person | None:
        """One person of whom the face is that of `seen`, the rest and the number of clips that of
        `heard`.
        """
        if heard is None or seen is None:
            return heard or seen
        return replace(
            heard,
            mean=np.where(self.seen, seen.mean, heard.mean),
            deviation=np.where(self.seen, seen.deviation, heard.deviation),
        )

    def affine(self, name: str, person: Person | None) -> Affine | None:
        """The change of an input's columns for a person; None for nobody."""
        if person is None:
            return None
        known = self._affines.setdefault(person, {})
        if name not in known:
            part = self.slices[name]
            scale = self.deviation[part] / person.deviation[part]
            shift = self.mean[part] - scale * person.mean[part]
            known[name] = Affine(scale.astype(np.float32), shift.astype(np.float32))
        return known[name]

    def measures(self, name: str, person: Person | None) -> bool:
        """Whether an input is measured against a person: not where none of their clips has it."""
        found = self.affine(name, person) if name in self.widths else None
        return found is not None and not ((found.scale == 1).all() and (found.shift == 0).all())


def column_slices(widths: Mapping[str, int]) -> dict[str, slice]:
    """The columns of each input, side by side in this order."""
    ends = np.cumsum([0, *widths.values()]).tolist()
    return {n: slice(a, b) for n, a, b in zip(widths, ends, ends[1:], strict=False)}


def seen_columns(widths: Mapping[str, int], faces: Sequence[str]) -> np.ndarray:
    """Bool [D], whether a column is of an input in `faces`."""
    return np.repeat([name in faces for name in widths], list(widths.values()))


def moments_of(tracks: Sequence[FeatureTrack | None], widths: Sequence[int]) -> ClipMoments:
    """Moments of a clip over the columns of its tracks side by side; NaN for a missing track."""
    means, variances = [], []
    for track, width in zip(tracks, widths, strict=True):
        if track is None:
            means.append(np.full(width, np.nan))
            variances.append(means[-1])
        else:
            values = track.values.astype(np.float64)
            means.append(values.mean(axis=0))
            variances.append(values.var(axis=0))
    return ClipMoments(np.concatenate(means), np.concatenate(variances))


def mean_of_known(values: np.ndarray) -> np.ndarray:
    """Mean [D] of rows that are known; 0 where none is."""
    known = ~np.isnan(values)
    return np.where(known, values, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
