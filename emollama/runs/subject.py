"""The interface for explanations of both kinds of models: label scores of partly hidden samples.

An explanation asks one question many times over: what does the model answer if a part of the sample
is hidden? A `View` describes the visible part. Modalities not in it are absent, as in a clip
without them; hidden steps are invalid, as if never recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from emollama.manifest.channels import Channel

LOG_ODDS_AT = 1e-7
"""Probabilities are kept this far from 0 and 1, so that log-odds are finite."""


@dataclass(frozen=True)
class Modality:
    """A unit that is present or absent as a whole: a modality of a fusion model, a channel of an
    LLM.

    Attributes:
        name: of the modality.
        channel: of a person.
        tracks: names of the tracks that it holds.
    """

    name: str
    channel: Channel
    tracks: tuple[str, ...]


@dataclass(frozen=True)
class Steps:
    """The steps of one track of one sample.

    Attributes:
        modality: that the track belongs to.
        channel: of that modality.
        times: float [L], centre of each step in seconds; all equal if unknown.
        words: the word of each step, if the track has one step per word; else ().
    """

    modality: str
    channel: Channel
    times: np.ndarray
    words: tuple[str, ...] = ()

    @property
    def timed(self) -> bool:
        """Whether the times are informative."""
        return len(self.times) > 1 and float(np.ptp(self.times)) > 0


@dataclass(frozen=True)
class View:
    """The visible part of one sample.

    Attributes:
        row: index of the sample.
        present: names of the visible modalities.
        hidden: by track, bool [L]: the hidden steps.
    """

    row: int
    present: frozenset[str]
    hidden: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for equal views."""
        masks = {k: np.asarray(m, bool) for k, m in self.hidden.items() if np.any(m)}
        return self.row, self.present, tuple((k, masks[k].tobytes()) for k in sorted(masks))


class Subject(Protocol):
    """A model with samples to explain.

    Attributes:
        labels: the label set, in the order of the scores' columns.
        modalities: all modalities of the model.
        tracks: names of all tracks, in the order of the system's maps.
        several: whether label scores are independent (several may apply at once).
    """

    @property
    def labels(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def modalities(self) -> tuple[Modality, ...]: ...  # noqa: D102

    @property
    def tracks(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def several(self) -> bool: ...  # noqa: D102

    def steps(self, row: int) -> dict[str, Steps]:
        """The tracks of a sample, by name."""
        ...

    def present(self, row: int) -> frozenset[str]:
        """Names of the modalities of a sample."""
        ...

    def scores(self, views: Sequence[View]) -> np.ndarray:
        """Label scores float64 [n, K] of views, in batches; they do not depend on the other views.

        A view without any modality gets the model's answer to an empty sample.
        """
        ...

    def maps(self, row: int) -> dict[str, np.ndarray]:
        """The system's own maps of a complete sample, by name; {} if it has none."""
        ...


def distinct_scores(subject: Subject, views: Sequence[View]) -> np.ndarray:
    """`subject.scores`, computed once per distinct view."""
    place: dict[tuple[object, ...], int] = {}
    unlike: list[View] = []
    index = []
    for view in views:
        if view.key not in place:
            place[view.key] = len(unlike)
            unlike.append(view)
        index.append(place[view.key])
    return subject.scores(unlike)[index]


def log_odds(probability: np.ndarray) -> np.ndarray:
    """log(p / (1 - p)), finite even for 0 and 1."""
    kept = np.clip(probability, LOG_ODDS_AT, 1 - LOG_ODDS_AT)
    return np.log(kept) - np.log1p(-kept)
