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
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from emollama.base.errors import EmollamaError
from emollama.base.files import atomic_path
from emollama.encoders.base import FeatureTrack
from emollama.features.tracks import TrackReader
from emollama.inputs.enrolment import Enrolment
from emollama.inputs.person import moments_of
from emollama.llm.configuration import StreamConfig
from emollama.manifest.channels import Channel
from emollama.manifest.sample import Sample

HEADS_FILE = "channel_heads.safetensors"
EPOCHS = 6
"""How often each training clip is seen, where people are measured against themselves."""
_CLIP = 10.0  # deviations; a broken track must not decide alone
_FLOOR = 1e-9
_ARRAYS = ("mean", "deviation", "coefficients", "intercept")


class Evidence(Protocol):
    """The part of `processing.Evidence` used here."""

    @property
    def tracks(self) -> Mapping[str, FeatureTrack | None]: ...  # noqa: D102

    @property
    def channels(self) -> frozenset[str]: ...  # noqa: D102


@dataclass(frozen=True)
class Head:
    """The regression of one channel.

    Attributes:
        streams: names and widths of its streams, in the order of the columns.
        mean: float32 [D], of the training clips.
        deviation: float32 [D].
        coefficients: float32 [K, D].
        intercept: float32 [K]; -inf for a label that no training clip with the channel shows.
    """

    streams: Mapping[str, int]
    mean: np.ndarray
    deviation: np.ndarray
    coefficients: np.ndarray
    intercept: np.ndarray

    def log_probabilities(self, tracks: Mapping[str, FeatureTrack | None]) -> np.ndarray | None:
        """[K], floored; None where no stream of the channel has a track."""
        row = means(self.streams, tracks)
        if row is None:
            return None
        x = np.nan_to_num((row - self.mean) / self.deviation).clip(-_CLIP, _CLIP)
        logits = self.coefficients @ x + self.intercept
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
                and (log := head.log_probabilities(one.tracks)) is not None
            ]
            if logs:
                own = np.log(np.maximum(found[i], _FLOOR))
                scores = (own + self.weight * np.mean(logs, axis=0)) / (1 + self.weight)
                chances = np.exp(scores - scores.max())
                found[i] = chances / chances.sum()
        return found


def means(
    streams: Mapping[str, int], tracks: Mapping[str, FeatureTrack | None]
) -> np.ndarray | None:
    """The means [D] of a channel's tracks, NaN where one is absent; None without any."""
    own = [tracks.get(name) for name in streams]
    if all(track is None for track in own):
        return None
    return moments_of(own, list(streams.values())).mean


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
    draws = [people.in_epoch(seed, epoch) for epoch in range(EPOCHS)] if people else [None]
    heads: dict[Channel, Head] = {}
    for channel in dict.fromkeys(stream.channel for stream in streams):
        widths = {s.name: s.width for s in streams if s.channel == channel}
        rows, targets = [], []
        tracks = {s.id: {name: readers[name].get(s.id) for name in widths} for s in known}
        for draw in draws:
            for s in known:
                shown = tracks[s.id]
                if draw is not None:
                    shown = {name: draw.track(name, s.id, t) for name, t in shown.items()}
                row = means(widths, shown)
                if row is not None:
                    rows.append(row)
                    targets.append(labels.index(str(s.targets.emotion)))
        if rows:
            heads[channel] = _fit(channel, widths, np.stack(rows), targets, len(labels), strength)
    return ChannelHeads(weight, heads)


def _fit(
    channel: Channel,
    widths: Mapping[str, int],
    x: np.ndarray,
    targets: Sequence[int],
    count: int,
    strength: float,
) -> Head:
    if len(set(targets)) < 2:
        raise EmollamaError(
            f"model.channel_heads: the training clips with a {channel} show one label only"
        )
    from sklearn.linear_model import LogisticRegression  # an artefact opens without it

    mean = np.nan_to_num(np.nanmean(x, axis=0)).astype(np.float32)
    deviation = np.nan_to_num(np.nanstd(x, axis=0)).astype(np.float32)
    deviation[deviation == 0] = 1
    fitted = LogisticRegression(C=strength, max_iter=3000)
    fitted.fit(np.nan_to_num((x - mean) / deviation).clip(-_CLIP, _CLIP), targets)
    rows, intercept = fitted.coef_, fitted.intercept_
    if len(fitted.classes_) == 2:
        rows, intercept = np.vstack([-rows, rows]) / 2, np.array([-1, 1]) * intercept / 2
    coefficients = np.zeros((count, len(mean)), np.float32)
    shift = np.full(count, -np.inf, np.float32)
    coefficients[fitted.classes_] = rows
    shift[fitted.classes_] = intercept
    return Head(dict(widths), mean, deviation, coefficients, shift)


def write_heads(heads: ChannelHeads, folder: Path) -> None:
    """Write them into an artefact's folder."""
    arrays = {
        f"{channel}.{name}": getattr(head, name)
        for channel, head in heads.heads.items()
        for name in _ARRAYS
    }
    about = {"weight": str(heads.weight)}
    for channel, head in heads.heads.items():
        # The order of the streams is that of the columns.
        about[channel] = " ".join(f"{name}={width}" for name, width in head.streams.items())
    with atomic_path(folder / HEADS_FILE) as draft:
        save_file(arrays, draft, about)


def read_heads(folder: Path, streams: Sequence[StreamConfig], count: int) -> ChannelHeads | None:
    """The heads of an artefact with these streams and `count` labels; None without any.

    Raises:
        EmollamaError: the file is corrupt, or of another model.
    """
    path = folder / HEADS_FILE
    if not path.is_file():
        return None
    heads: dict[Channel, Head] = {}
    try:
        with safe_open(path, framework="numpy") as file:
            about = file.metadata() or {}
            weight = float(about["weight"])
            for channel in dict.fromkeys(stream.channel for stream in streams):
                if channel not in about:
                    continue
                widths = {s.name: s.width for s in streams if s.channel == channel}
                stored = " ".join(f"{name}={width}" for name, width in widths.items())
                columns = sum(widths.values())
                if about[channel] != stored:
                    raise EmollamaError(
                        f"{path}: the {channel} head reads {about[channel]}, the model {stored}"
                    )
                arrays = {name: file.get_tensor(f"{channel}.{name}") for name in _ARRAYS}
                shapes = ((columns,), (columns,), (count, columns), (count,))
                for name, shape in zip(_ARRAYS, shapes, strict=True):
                    if arrays[name].shape != shape:
                        raise EmollamaError(
                            f"{path}: {channel}.{name} is {arrays[name].shape}, expected {shape}"
                        )
                heads[channel] = Head(widths, **arrays)
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise EmollamaError(f"{path}: is not a file of channel heads: {error!r}") from error
    return ChannelHeads(weight, heads)
