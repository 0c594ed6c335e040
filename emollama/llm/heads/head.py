"""Regressions beside the language model, on the means of a channel's tracks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from emollama.base.errors import EmollamaError
from emollama.base.files import atomic_path
from emollama.encoders.base import FeatureTrack
from emollama.features.tracks import TrackReader
from emollama.inputs.enrolment import Enrolment, Known
from emollama.inputs.person import moments_of
from emollama.llm.configuration import StreamConfig
from emollama.manifest.channels import Channel
from emollama.manifest.sample import Sample

EPOCHS = 6
"""How often each training clip is seen, where people are measured against themselves."""
_CLIP = 10.0  # deviations; a broken track must not decide alone
_ARRAYS = ("mean", "deviation", "coefficients", "intercept")

Weights = tuple[np.ndarray, np.ndarray]
"""Coefficients [K, D] and intercepts [K]."""


@dataclass(frozen=True)
class Head:
    """The regression of one channel.

    Attributes:
        streams: names and widths of its streams, in the order of the columns.
        mean: float32 [D], of the training clips.
        deviation: float32 [D].
        coefficients: float32 [K, D].
        intercept: float32 [K].
    """

    streams: Mapping[str, int]
    mean: np.ndarray
    deviation: np.ndarray
    coefficients: np.ndarray
    intercept: np.ndarray

    def logits(self, tracks: Mapping[str, FeatureTrack | None]) -> np.ndarray | None:
        """[K]; None where no stream of the channel has a track."""
        row = means(self.streams, tracks)
        return None if row is None else self.coefficients @ self.columns(row) + self.intercept

    def columns(self, rows: np.ndarray) -> np.ndarray:
        """Means [..., D] as the regression reads them; an absent track counts as the mean."""
        return np.nan_to_num((rows - self.mean) / self.deviation).clip(-_CLIP, _CLIP)


def streams_of(streams: Sequence[StreamConfig]) -> dict[Channel, dict[str, int]]:
    """Names and widths of the streams of each channel."""
    found: dict[Channel, dict[str, int]] = {}
    for stream in streams:
        found.setdefault(stream.channel, {})[stream.name] = stream.width
    return found


def means(
    streams: Mapping[str, int], tracks: Mapping[str, FeatureTrack | None]
) -> np.ndarray | None:
    """The means [D] of a channel's tracks, NaN where one is absent; None without any."""
    own = [tracks.get(name) for name in streams]
    if all(track is None for track in own):
        return None
    return moments_of(own, list(streams.values())).mean


def draws_of(people: Enrolment | None, seed: int) -> list[Known | None]:
    """What the people of the training clips are known by, each time that a clip is seen."""
    return [people.in_epoch(seed, epoch) for epoch in range(EPOCHS)] if people else [None]


def drawn_means(
    widths: Mapping[str, int],
    readers: Mapping[str, TrackReader],
    samples: Sequence[Sample],
    draws: Sequence[Known | None],
) -> Iterator[tuple[Sample, np.ndarray | None]]:
    """The means [D] of each sample's tracks, once for each draw; None where it has no track."""
    tracks = {s.id: {name: readers[name].get(s.id) for name in widths} for s in samples}
    for draw in draws:
        for sample in samples:
            shown = tracks[sample.id]
            if draw is not None:
                shown = {name: draw.track(name, sample.id, t) for name, t in shown.items()}
            yield sample, means(widths, shown)


def fitted(
    streams: Mapping[str, int], rows: np.ndarray, regression: Callable[[np.ndarray], Weights]
) -> Head:
    """The head of a regression that is fitted on means [n, D], standardised."""
    mean = np.nan_to_num(np.nanmean(rows, axis=0)).astype(np.float32)
    deviation = np.nan_to_num(np.nanstd(rows, axis=0)).astype(np.float32)
    deviation[deviation == 0] = 1
    empty = np.zeros(0, np.float32)
    columns = Head(streams, mean, deviation, empty, empty).columns(rows)
    coefficients, intercept = (part.astype(np.float32) for part in regression(columns))
    return Head(dict(streams), mean, deviation, coefficients, intercept)


def write_heads(path: Path, heads: Mapping[Channel, Head], about: Mapping[str, str]) -> None:
    """Write heads, and `about` them, into one safetensors file."""
    arrays = {f"{c}.{name}": getattr(head, name) for c, head in heads.items() for name in _ARRAYS}
    # The order of the streams is that of the columns.
    streams = {str(channel): _stored(head.streams) for channel, head in heads.items()}
    with atomic_path(path) as draft:
        save_file(arrays, draft, {**about, **streams})


def read_heads(
    path: Path,
    streams: Sequence[StreamConfig],
    rows: Callable[[Mapping[str, str], Channel], int],
) -> tuple[dict[Channel, Head], dict[str, str]]:
    """The heads of an artefact with these streams, and what is said about them.

    Args:
        path: of `write_heads`.
        streams: of the model.
        rows: how many rows K the head of a channel has, by what is said about them.

    Raises:
        EmollamaError: the file is corrupt, or of another model.
    """
    heads: dict[Channel, Head] = {}
    try:
        with safe_open(path, framework="numpy") as file:
            about = file.metadata() or {}
            for channel, widths in streams_of(streams).items():
                if channel not in about:
                    continue
                if about[channel] != _stored(widths):
                    raise EmollamaError(
                        f"{path}: the {channel} head reads {about[channel]}, "
                        f"the model {_stored(widths)}"
                    )
                columns, count = sum(widths.values()), rows(about, channel)
                shapes = ((columns,), (columns,), (count, columns), (count,))
                arrays = {}
                for name, shape in zip(_ARRAYS, shapes, strict=True):
                    key = f"{channel}.{name}"
                    stored = file.get_slice(key)  # nothing is read yet
                    found, dtype = tuple(stored.get_shape()), stored.get_dtype()
                    if (found, dtype) != (shape, "F32"):
                        raise EmollamaError(
                            f"{path}: {key} is {dtype} {found}, expected F32 {shape}"
                        )
                    arrays[name] = file.get_tensor(key)
                head = Head(widths, **arrays)
                if not _whole(head):
                    raise EmollamaError(
                        f"{path}: the {channel} head holds values that are not numbers, or "
                        "deviations that are not above 0"
                    )
                heads[channel] = head
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise EmollamaError(f"{path}: is not a file of heads: {error!r}") from error
    return heads, about


def _whole(head: Head) -> bool:
    """Whether all values can be those of a regression; an intercept of a label that is never shown
    is -inf.
    """
    finite = all(np.isfinite(a).all() for a in (head.mean, head.deviation, head.coefficients))
    return bool(finite and (head.deviation > 0).all() and (head.intercept < np.inf).all())


def _stored(streams: Mapping[str, int]) -> str:
    return " ".join(f"{name}={width}" for name, width in streams.items())
