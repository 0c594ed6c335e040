"""Prepares a system's own maps for drawing: the meaning of each axis.

Names define the meaning of a map: "query>key" is the attention of one modality's steps over
another's, "pool:modality" the weights of a pooling, "modalities" and "beta" weigh the modalities,
"decoder0" has a row a label. Any name may have a prefix "layer:". The axes of other maps are
guessed from their shape: an axis as long as exactly one modality's track shows its steps.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from emollama.runs.subject import Steps

NOT_DRAWN = ("times", "valid")
"""Maps that hold the coordinates of a grid; they label its axis."""
WEIGHTS_OF_MODALITIES = ("modalities", "beta")


@dataclass(frozen=True)
class Axis:
    """One axis of a map: its title, and a name for each position."""

    title: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Map:
    """Values [rows, columns] with both axes; a single row is a curve or bars."""

    name: str
    values: np.ndarray
    rows: Axis
    columns: Axis


def named_maps(
    maps: Mapping[str, np.ndarray],
    steps: Mapping[str, Steps],
    modalities: Sequence[str],
    labels: Sequence[str],
) -> list[Map]:
    """The maps of one sample that can be drawn.

    Args:
        maps: by name, without the batch dimension.
        steps: of the sample's tracks; maps of other tracks are left out.
        modalities: names of the model's tracks, in the order of its gates.
        labels: of the model.
    """
    grid = _grid(maps)
    found = []
    for name, given in maps.items():
        if name in NOT_DRAWN or given.ndim not in (1, 2) or given.dtype.kind != "f":
            continue
        values = given.astype(np.float64)
        axes = _axes(name, values.shape, steps, modalities, labels, grid)
        if axes is None or 0 in values.shape:
            continue
        rows, columns = axes
        if values.ndim == 1:
            values = values[None]
        found.append(Map(name, values, rows, columns))
    return found


def _axes(
    name: str,
    shape: tuple[int, ...],
    steps: Mapping[str, Steps],
    modalities: Sequence[str],
    labels: Sequence[str],
    grid: Axis | None,
) -> tuple[Axis, Axis] | None:
    last = name.rsplit(":", 1)[-1]
    one = Axis("", ("",))
    if ">" in last:
        query, key = last.split(">", 1)
        if {query, key} <= set(modalities):
            if query not in steps or key not in steps:
                return None
            return _steps_axis(query, steps, shape[0]), _steps_axis(key, steps, shape[-1])
    if last in WEIGHTS_OF_MODALITIES and shape[0] == len(modalities):
        weighed = Axis("", tuple(modalities))
        if len(shape) == 1 or shape[1] == 1:
            return (one, weighed) if len(shape) == 1 else (weighed, one)
        return weighed, Axis("dimension", tuple(str(i) for i in range(shape[1])))
    if last in modalities and len(shape) == 1:
        return (one, _steps_axis(last, steps, shape[0])) if last in steps else None
    if re.fullmatch(r"decoder\d*", last) and len(shape) == 2 and shape[0] == len(labels):
        across = grid if grid and len(grid.names) == shape[1] else _by_length(shape[1], steps)
        return Axis("label", tuple(labels)), across
    axes = []
    for size in shape:
        if grid and len(grid.names) == size and not _owners(size, steps):
            axes.append(grid)
        else:
            axes.append(_by_length(size, steps))
    return (one, axes[0]) if len(axes) == 1 else (axes[0], axes[1])


def _steps_axis(name: str, steps: Mapping[str, Steps], size: int) -> Axis:
    track = steps[name]
    if len(track.times) != size:
        return Axis(name, tuple(str(i) for i in range(size)))
    if track.words:
        return Axis(f"{name}: word", track.words)
    if track.timed:
        return Axis(f"{name}: s", tuple(f"{t:.2f}" for t in track.times))
    return Axis(f"{name}: step", tuple(str(i + 1) for i in range(size)))


def _owners(size: int, steps: Mapping[str, Steps]) -> list[str]:
    return [n for n, track in steps.items() if len(track.times) == size > 1]


def _by_length(size: int, steps: Mapping[str, Steps]) -> Axis:
    owners = _owners(size, steps)
    if len(owners) == 1:
        return _steps_axis(owners[0], steps, size)
    return Axis("", tuple(str(i) for i in range(size)))


def _grid(maps: Mapping[str, np.ndarray]) -> Axis | None:
    """The axis of a grid whose times are among the maps."""
    times = maps.get("times")
    if times is None or times.ndim != 1:
        return None
    if len(times) > 1 and float(times.max() - times.min()) > 0:
        return Axis("s", tuple(f"{float(t):.2f}" for t in times))
    return Axis("step", tuple(str(i + 1) for i in range(len(times))))
