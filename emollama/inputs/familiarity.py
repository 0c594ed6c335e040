"""How far a clip lies from those that a model was trained on, by channel.

Of a channel the columns of all its inputs stand side by side, in deviations of the training clips;
a clip is the mean over its steps. Its distance is that of a Gaussian with a few directions of its
own variance and one variance for all the rest (probabilistic PCA, Tipping and Bishop 1999), a root
mean square over columns. It is given as times the usual one, which is the median of clips of
training people that were left out of the fit; 99 % of those clips lie within `limit` times.

Measured on the model that ships (voice, 24 training people): the limit is passed by 1 of 383 clips
of people kept back, and by 52 of 56 synthetic voices; without the directions, by 2 of 56.

Inputs with `standardise: person` have a second yardstick for clips that are measured against their
person: the training clips, each measured against its own. The one that is passed further counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.encoders.base import FeatureTrack
from emollama.inputs.person import moments_of
from emollama.inputs.person_file import read_arrays, write_arrays
from emollama.inputs.standardiser import MOST

Against = Literal["corpus", "person"]

FEW_PEOPLE = 5
"""Training people below which the limit says little, and the answer says so."""

_VERSION = 1
_ARRAYS = ("mean", "deviation", "directions", "variances")


@dataclass(frozen=True)
class Spread:
    """How the training clips of a channel are spread.

    Attributes:
        mean, deviation: float64 [D].
        directions: [k, D], orthonormal, in units of `deviation`.
        variances: [k], along them.
        rest: variance along every other direction.
    """

    mean: np.ndarray
    deviation: np.ndarray
    directions: np.ndarray
    variances: np.ndarray
    rest: float

    def distance(self, clips: np.ndarray) -> np.ndarray:
        """Distance [n] of clips [n, D]; NaN columns are left out."""
        apart = np.clip((clips - self.mean) / self.deviation, -MOST, MOST)
        known = ~np.isnan(apart)
        apart = np.where(known, apart, 0.0)
        along = apart @ self.directions.T
        beside = (apart**2).sum(axis=1) - (along**2).sum(axis=1)
        total = (along**2 / self.variances).sum(axis=1) + np.maximum(beside, 0.0) / self.rest
        return np.asarray(np.sqrt(total / np.maximum(known.sum(axis=1), 1)))


@dataclass(frozen=True)
class Yardstick:
    """What clips of a channel are compared with.

    Attributes:
        spread: of the training clips.
        usual: distance of the median clip of people who were left out.
        limit: times the usual distance within which 99 % of those clips lie.
    """

    spread: Spread
    usual: float
    limit: float


UNLIKE = "This clip is unlike those the model was trained on"
"""The beginning of the sentence above an answer that is not to be trusted."""


@dataclass(frozen=True)
class Distance:
    """How far a clip lies from the training clips in one channel.

    Attributes:
        times: of the usual distance.
        limit: times from which the clip is unlike the training clips.
    """

    times: float
    limit: float

    @property
    def familiar(self) -> bool:
        """Whether it is like the training clips."""
        return self.times <= self.limit


@dataclass(frozen=True)
class Familiar:
    """How far a clip lies from the training clips, by channel; `people` of them gave the limit."""

    channels: Mapping[str, Distance]
    people: int

    def only(self, channels: Iterable[str]) -> Familiar:
        """The same for these channels."""
        kept = set(channels)
        return replace(self, channels={c: d for c, d in self.channels.items() if c in kept})

    @property
    def overall(self) -> bool | None:
        """Whether all channels are like the training clips; None where none was measured."""
        return all(d.familiar for d in self.channels.values()) if self.channels else None

    @property
    def warning(self) -> str | None:
        """The sentence above an answer about a clip that is unlike the training clips."""
        far = [f"{c} {d.times:.1f}" for c, d in self.channels.items() if not d.familiar]
        if not far:
            return None
        few = (
            f" (the usual distance is of {self.people or 'no'} known people only)"
            if self.people < FEW_PEOPLE
            else ""
        )
        return (
            f"{UNLIKE} ({', '.join(far)} times the usual distance): do not trust the answer.{few}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "overall": self.overall,
            "channels": {
                channel: {
                    "familiar": one.familiar,
                    "times_usual": round(one.times, 2),
                    "limit": round(one.limit, 2),
                }
                for channel, one in self.channels.items()
            },
        }


@dataclass(frozen=True)
class Familiarity:
    """The measure of an artefact.

    Attributes:
        widths: by channel, the width of each of its inputs in the order of the columns.
        yardsticks: by channel, against the corpus, and against people where it has one.
        clips: number of training clips.
        people: number of training people, 0 where they are not known.
    """

    widths: Mapping[str, Mapping[str, int]]
    yardsticks: Mapping[str, Mapping[Against, Yardstick]]
    clips: int
    people: int

    def of(self, tracks: Mapping[str, Any], measured: Mapping[str, Any] | None = None) -> Familiar:
        """How far a clip lies from the training clips; channels that it lacks are left out.

        Args:
            tracks: its features by input, as they are; what is no `FeatureTrack` is missing.
            measured: the same against the clip's person.
        """
        found: dict[str, Distance] = {}
        for channel, yardsticks in self.yardsticks.items():
            distances = []
            for against, yardstick in yardsticks.items():
                given = measured if against == "person" else tracks
                clip = None if given is None else self._clip(channel, given)
                if clip is not None:
                    times = float(yardstick.spread.distance(clip[None])[0]) / yardstick.usual
                    distances.append(Distance(times, yardstick.limit))
            if distances:
                found[channel] = max(distances, key=lambda one: one.times / one.limit)
        return Familiar(found, self.people)

    def _clip(self, channel: str, tracks: Mapping[str, Any]) -> np.ndarray | None:
        widths = self.widths[channel]
        parts = [t if isinstance(t := tracks.get(n), FeatureTrack) else None for n in widths]
        if all(part is None for part in parts):
            return None
        return moments_of(parts, list(widths.values())).mean


def write_familiarity(found: Familiarity, path: Path) -> None:
    """Write a measure; it is read back as the float32 of what it was, directions as float16."""
    arrays = {
        f"{channel}.{against}.{name}": getattr(yardstick.spread, name)
        for channel, yardsticks in found.yardsticks.items()
        for against, yardstick in yardsticks.items()
        for name in _ARRAYS
    }
    for name in arrays:
        if name.endswith(".directions"):  # most of the file; three digits are enough
            arrays[name] = arrays[name].astype(np.float16)
    about = {
        "version": _VERSION,
        "clips": found.clips,
        "people": found.people,
        "channels": {
            channel: {
                "widths": list(found.widths[channel].items()),
                "yardsticks": {
                    against: {"usual": one.usual, "limit": one.limit, "rest": one.spread.rest}
                    for against, one in yardsticks.items()
                },
            }
            for channel, yardsticks in found.yardsticks.items()
        },
    }
    write_arrays(path, arrays, about)


def read_familiarity(path: Path) -> Familiarity:
    """Read the measure of an artefact.

    Raises:
        EmollamaError: the file is missing or corrupt, or of a later release.
    """
    arrays, about = read_arrays(path, None, "a measure of familiarity")
    try:
        if about["version"] != _VERSION:
            raise EmollamaError(
                f"{path}: version {about['version']} is not supported; this release reads "
                f"version {_VERSION}"
            )
        channels = about["channels"].items()
        widths = {c: {str(n): int(w) for n, w in part["widths"]} for c, part in channels}
        yardsticks = {
            c: {a: _yardstick(arrays, f"{c}.{a}", one) for a, one in part["yardsticks"].items()}
            for c, part in channels
        }
        found = Familiarity(widths, yardsticks, int(about["clips"]), int(about["people"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EmollamaError(f"{path}: is not a measure of familiarity: {error!r}") from error
    for channel, parts in yardsticks.items():
        columns = sum(widths[channel].values())
        for one in parts.values():
            spread, count = one.spread, len(one.spread.variances)
            shapes = [getattr(spread, name).shape for name in _ARRAYS]
            if shapes != [(columns,), (columns,), (count, columns), (count,)]:
                raise EmollamaError(f"{path}: {channel} has other widths than its inputs: {shapes}")
    return found


def _yardstick(arrays: Mapping[str, np.ndarray], name: str, about: Mapping[str, Any]) -> Yardstick:
    usual, limit, rest = (float(about[key]) for key in ("usual", "limit", "rest"))
    mean, deviation, directions, variances = (arrays[f"{name}.{one}"] for one in _ARRAYS)
    spread = Spread(mean, deviation, directions, variances, rest)
    if not (usual > 0 and limit > 0 and rest > 0 and (spread.variances > 0).all()):
        raise ValueError(f"{name}: usual {usual}, limit {limit}, rest {rest}")
    return Yardstick(spread, usual, limit)
