"""Occlusion over time: how far the answered label's score falls when a stretch is hidden.

A window slides over the steps of a channel; the steps in it are hidden, and the fall of the score
is the importance of the window's centre (Zeiler & Fergus 2014, over time). A step's importance is
the mean over the windows that hide it. Tracks of one step are not occluded; Shapley values show
their weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from emollama.manifest.channels import Channel
from emollama.runs.subject import Steps, Subject, View, distinct_scores

MOST_WINDOWS = 40
WINDOWS_A_CLIP = 8
"""The default window is this fraction of the time that the steps cover."""


@dataclass(frozen=True)
class Lane:
    """Tracks of one channel on one clock, with their steps sorted by time.

    Attributes:
        name: the channel, or for a track without times the channel and the track.
        channel: of all its tracks.
        tracks: their names.
        at: float [n], position of each step of each track: seconds, or the step's index.
        owner: int [n], index in `tracks`; `place` int [n], which step of that track.
        timed: whether `at` is seconds.
        words: the word of each step; () if steps are not words.
    """

    name: str
    channel: Channel
    tracks: tuple[str, ...]
    at: np.ndarray
    owner: np.ndarray
    place: np.ndarray
    timed: bool
    words: tuple[str, ...] = ()

    def hidden(self, which: np.ndarray) -> dict[str, np.ndarray]:
        """Masks by track that hide the steps [n] of the lane."""
        masks = {}
        for k, track in enumerate(self.tracks):
            mine = self.owner == k
            mask = np.zeros(int(mine.sum()), bool)
            mask[self.place[mine & which]] = True
            masks[track] = mask
        return masks


@dataclass(frozen=True)
class Curve:
    """The occlusion curve of a lane.

    Attributes:
        lane: the lane whose steps were hidden.
        centres: float [w], of the windows.
        drop: float [w], score with everything minus score with the window hidden.
        width: of a window, in the lane's unit.
        importance: float [n], of each step of the lane.
    """

    lane: Lane
    centres: np.ndarray
    drop: np.ndarray
    width: float
    importance: np.ndarray


def lanes_of(steps: Mapping[str, Steps]) -> list[Lane]:
    """The lanes of a sample: timed tracks by channel, then each track without times by itself."""
    timed: dict[Channel, list[str]] = {}
    alone = []
    for name, track in steps.items():
        if track.timed:
            timed.setdefault(track.channel, []).append(name)
        elif len(track.times) > 1:
            alone.append(name)
    found = []
    for channel, names in timed.items():
        at = np.concatenate([steps[n].times for n in names])
        owner = np.repeat(np.arange(len(names)), [len(steps[n].times) for n in names])
        place = np.concatenate([np.arange(len(steps[n].times)) for n in names])
        order = np.argsort(at, kind="stable")
        words = steps[names[0]].words if len(names) == 1 else ()
        shown = tuple(words[i] for i in order) if words else ()
        found.append(
            Lane(channel, channel, tuple(names), at[order], owner[order], place[order], True, shown)
        )
    for name in alone:
        track = steps[name]
        count = np.arange(len(track.times))
        title = track.channel if name == track.channel else f"{track.channel}: {name.strip()}"
        found.append(
            Lane(title, track.channel, (name,), count.astype(float), count * 0, count, False,
                 track.words)
        )  # fmt: skip
    return found


def windows(lane: Lane, width: float | None = None) -> tuple[np.ndarray, float]:
    """Centres [w] and width of the windows; each hides at least one step.

    Words or numbered steps are hidden one at a time, if there are not too many.

    Args:
        lane: the lane to occlude.
        width: in seconds; an eighth of the time by default. Ignored for steps without times.
    """
    places = np.unique(lane.at)
    if len(places) > MOST_WINDOWS:
        chosen = np.linspace(0, len(places) - 1, MOST_WINDOWS).round().astype(int)
        centres = places[chosen]
    else:
        centres = places
    gap = float(np.diff(centres).max()) if len(centres) > 1 else 0.0
    if not lane.timed:
        return centres, gap
    # Wide enough that no step falls between two windows.
    default = max(float(np.ptp(places)) / WINDOWS_A_CLIP, gap)
    return centres, max(width, gap) if width else default


def occlusion_curve(
    subject: Subject, row: int, lane: Lane, label: str, width: float | None = None
) -> Curve:
    """Slide a window over a lane; the fall of `label`'s score at each position."""
    centres, used = windows(lane, width)
    covered = np.abs(lane.at[None] - centres[:, None]) <= used / 2 + 1e-9
    shown = subject.present(row)
    views = [View(row, shown), *(View(row, shown, lane.hidden(c)) for c in covered)]
    scores = distinct_scores(subject, views)[:, subject.labels.index(label)]
    drop = scores[0] - scores[1:]
    times = covered.sum(0)
    importance = (covered * drop[:, None]).sum(0) / np.maximum(times, 1)
    return Curve(lane, centres, drop, used, importance)
