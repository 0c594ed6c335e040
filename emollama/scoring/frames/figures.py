"""A figure of values over time: the true values of one video and the answers of several files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from emollama.base.drawing import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, STYLE, save_figure
from emollama.base.errors import EmollamaError, did_you_mean
from emollama.scoring.frames.workflow import answer, rows_of, targets_of
from emollama.scoring.metrics.continuous import numbers
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.predictions.predictions import Predictions

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY)


def draw_frames(members: Sequence[Predictions], video: str, out: Path) -> None:
    """Write `frames_figure` as a PNG."""
    with matplotlib.style.context(["default", STYLE]):
        save_figure(frames_figure(members, video), out)


def frames_figure(members: Sequence[Predictions], video: str) -> Figure:
    """Axes for each quantity, in them the truth and a line for each file.

    Args:
        members: one to five predictions files; the first one's truth is drawn.
        video: id of the row.

    Raises:
        EmollamaError: more files than colours, a file without the video, or one that answers
            other quantities of it than the first.
    """
    if len(members) > len(COLOURS):
        raise EmollamaError(
            f"{len(members)} files in one figure; at most {len(COLOURS)} are possible"
        )
    rows = [_row(member, video) for member in members]
    names = targets_of(rows[:1])
    figure = Figure(figsize=(8, 0.6 + 2.1 * len(names)), layout="constrained")
    every = figure.subplots(len(names), sharex=True, squeeze=False)[:, 0]
    for axes, name in zip(every, names, strict=True):
        _lines(axes, name, members, rows)
    every[0].set_title(video, pad=24)
    every[0].legend(loc="lower left", bbox_to_anchor=(-0.01, 0.99), ncols=len(rows) + 1)
    every[-1].set_xlabel("seconds" if rows[0].times else "frames")
    return figure


def _row(member: Predictions, video: str) -> Prediction:
    rows = {r.id: r for r in rows_of(member)}
    if video not in rows:
        raise EmollamaError(f"{member.path}: has no id '{video}'{did_you_mean(video, rows)}")
    return rows[video]


def _lines(
    axes: Axes, name: str, members: Sequence[Predictions], rows: Sequence[Prediction]
) -> None:
    truth = numbers(rows[0], "reference_values", name)
    if truth is not None:
        axes.plot(_times(rows[0], len(truth)), truth, color=GREY, linewidth=3, label="truth")
    for member, row, colour in zip(members, rows, COLOURS, strict=False):
        found = answer(row, name)
        # Smoothed and raw answers are of one model; folder and file tell them apart.
        told = "/".join((member.path or Path("answers")).with_suffix("").parts[-2:])
        axes.plot(_times(row, len(found)), found, color=colour, linewidth=1.3, label=told)
    axes.set_ylim(-1, 1)
    axes.set_ylabel(name)
    axes.grid(axis="y")


def _times(row: Prediction, length: int) -> np.ndarray:
    return np.arange(length) if row.times is None else np.array(row.times)
