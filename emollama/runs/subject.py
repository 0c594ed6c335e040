"""The common face of both kinds of model: samples, shown in part, and the label scores they get.

An explanation asks one question many times over: what does the model answer if it is shown this
sample without that? A `View` says what is shown. Modalities that are not in it are absent, as in a
clip that never had them; steps that are hidden are not valid, as if they had not been recorded.
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
    """What is present or absent as one: a modality of a fusion model, a channel of an LLM.

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
        times: float [L], seconds of each step's centre; all equal where they are not known.
        words: the word of each step, where the track has one step a word; else ().
    """

    modality: str
    channel: Channel
    times: np.ndarray
    words: tuple[str, ...] = ()

    @property
    def timed(self) -> bool:
        """Whether the times tell the steps apart."""
        return len(self.times) > 1 and float(np.ptp(self.times)) > 0


@dataclass(frozen=True)
class View:
    """One sample as the model is to be shown it.

    Attributes:
        row: index of the sample.
        present: names of the modalities that are shown.
        hidden: by track, bool [L]: the steps that are not shown.
    """

    row: int
    present: frozenset[str]
    hidden: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for views that show the same."""
        masks = {k: np.asarray(m, bool) for k, m in self.hidden.items() if np.any(m)}
        return self.row, self.present, tuple((k, masks[k].tobytes()) for k in sorted(masks))


class Subject(Protocol):
    """A model with the samples that it is asked about.

    Attributes:
        labels: the label set, in the order of the scores' columns.
        modalities: all that the model knows.
        tracks: names of all tracks, in the order in which the system's maps weigh them.
        several: whether each label has a score by itself (several may be shown at once).
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
        """The tracks that a sample has, by name."""
        ...

    def present(self, row: int) -> frozenset[str]:
        """Names of the modalities that a sample has."""
        ...

    def scores(self, views: Sequence[View]) -> np.ndarray:
        """Label scores float64 [n, K] of views, in batches; a view's do not depend on the others'.

        A view without any modality gets what the model answers when nothing is present.
        """
        ...

    def maps(self, row: int) -> dict[str, np.ndarray]:
        """The system's own maps of a sample as it is, by name; {} where it gives none."""
        ...


def distinct_scores(subject: Subject, views: Sequence[View]) -> np.ndarray:
    """`subject.scores`, each distinct view asked about once."""
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
    """log(p / (1 - p)), finite for 0 and 1 too."""
    kept = np.clip(probability, LOG_ODDS_AT, 1 - LOG_ODDS_AT)
    return np.log(kept) - np.log1p(-kept)
