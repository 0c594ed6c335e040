"""Regressions of single channels beside the language model.

A language model tuned on voice and face together answers less well than a regression when it is
given only one of them. A channel head is that regression: multinomial, on the means of the
channel's tracks, each clip seen several times with its person known by a new draw of clips. The
label scores are then a weighted geometric mean: log p_lm counts 1 and the mean over present
channels of log p_head counts `weight`. What the language model writes does not change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.encoders.base import FeatureTrack
from emollama.features.tracks import TrackReader
from emollama.inputs.enrolment import Enrolment
from emollama.llm.configuration import StreamConfig
from emollama.llm.heads import head as files
from emollama.llm.heads.head import Head, Weights, drawn_means, draws_of, fitted, streams_of
from emollama.manifest.channels import Channel
from emollama.manifest.sample import Sample

HEADS_FILE = "channel_heads.safetensors"
_FLOOR = 1e-9


class Evidence(Protocol):
    """The part of `processing.Evidence` used here."""

    @property
    def tracks(self) -> Mapping[str, FeatureTrack | None]: ...  # noqa: D102

    @property
    def channels(self) -> frozenset[str]: ...  # noqa: D102


def log_probabilities(head: Head, tracks: Mapping[str, FeatureTrack | None]) -> np.ndarray | None:
    """Of each label [K], floored; None where no stream of the channel has a track.

    A label that no training clip with the channel shows has the intercept -inf.
    """
    logits = head.logits(tracks)
    if logits is None:
        return None
    chances = np.exp(logits - logits.max())
    return np.log(np.maximum(chances / chances.sum(), _FLOOR))


@dataclass(frozen=True)
class ChannelHeads:
    """The heads of a model; `weight` is that of their mean beside the language model's 1."""

    weight: float
    heads: Mapping[Channel, Head]

    def combined(self, distributions: np.ndarray, evidence: Sequence[Evidence]) -> np.ndarray:
        """Distributions [n, K] of the language model, combined with the heads of the channels that
        each piece of evidence has.
        """
        found = np.array(distributions, np.float64)
        for i, one in enumerate(evidence):
            logs = [
                log
                for channel, head in self.heads.items()
                if channel in one.channels
                and (log := log_probabilities(head, one.tracks)) is not None
            ]
            if logs:
                own = np.log(np.maximum(found[i], _FLOOR))
                scores = (own + self.weight * np.mean(logs, axis=0)) / (1 + self.weight)
                chances = np.exp(scores - scores.max())
                found[i] = chances / chances.sum()
        return found


def fit_heads(
    streams: Sequence[StreamConfig],
    readers: Mapping[str, TrackReader],
    samples: Sequence[Sample],
    labels: Sequence[str],
    people: Enrolment | None,
    *,
    weight: float,
    strength: float,
    seed: int,
) -> ChannelHeads:
    """Fit a head for every channel that has streams.

    `people`: of these samples, where an input is measured against them. `strength`: C.

    Raises:
        EmollamaError: the clips of a channel show one label only.
    """
    known = [s for s in samples if s.targets.emotion in labels]
    draws = draws_of(people, seed)
    heads: dict[Channel, Head] = {}
    for channel, widths in streams_of(streams).items():
        rows, targets = [], []
        for s, row in drawn_means(widths, readers, known, draws):
            if row is not None:
                rows.append(row)
                targets.append(labels.index(str(s.targets.emotion)))
        if rows:
            heads[channel] = _fit(channel, widths, np.stack(rows), targets, len(labels), strength)
    return ChannelHeads(weight, heads)


def _fit(
    channel: Channel,
    widths: Mapping[str, int],
    rows: np.ndarray,
    targets: Sequence[int],
    count: int,
    strength: float,
) -> Head:
    if len(set(targets)) < 2:
        raise EmollamaError(
            f"model.channel_heads: the training clips with a {channel} show one label only"
        )
    from sklearn.linear_model import LogisticRegression  # an artefact opens without it

    def regression(columns: np.ndarray) -> Weights:
        found = LogisticRegression(C=strength, max_iter=3000).fit(columns, targets)
        coefficients, intercept = found.coef_, found.intercept_
        if len(found.classes_) == 2:
            coefficients = np.vstack([-coefficients, coefficients]) / 2
            intercept = np.array([-1, 1]) * intercept / 2
        whole = np.zeros((count, columns.shape[1]))
        shift = np.full(count, -np.inf)
        whole[found.classes_], shift[found.classes_] = coefficients, intercept
        return whole, shift

    return fitted(widths, rows, regression)


def write_heads(heads: ChannelHeads, folder: Path) -> None:
    """Write them into an artefact's folder."""
    files.write_heads(folder / HEADS_FILE, heads.heads, {"weight": str(heads.weight)})


def read_heads(folder: Path, streams: Sequence[StreamConfig], count: int) -> ChannelHeads | None:
    """The heads of an artefact with these streams and `count` labels; None without any.

    Raises:
        EmollamaError: the file is corrupt, or of another model.
    """
    path = folder / HEADS_FILE
    if not path.is_file():
        return None
    heads, about = files.read_heads(path, streams, lambda *_: count)
    try:
        weight = float(about["weight"])
        if not 0 <= weight < np.inf:
            raise ValueError(f"weight: is {weight}, not a number from 0 on")
    except (KeyError, ValueError) as error:
        raise EmollamaError(f"{path}: is not a file of heads: {error!r}") from error
    return ChannelHeads(weight, heads)
