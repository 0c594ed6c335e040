"""Deletion curves against random orders: is an explanation faithful to the model?

The steps that an explanation calls important are hidden first, a tenth at a time; if it is right,
the score falls sooner than with a random order, and the area under the curve is smaller (the
deletion measure of Petsiuk et al. 2018, with its control). A difference whose interval over clips
includes 0 is no evidence, and is reported as such.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emollama.explain.occlusion import Lane
from emollama.runs.subject import Subject, View, distinct_scores
from emollama.scoring.metrics.bootstrap import RESAMPLES
from emollama.scoring.metrics.measure import Difference, Score, mean_difference, mean_score

MOST_CUTS = 10


@dataclass(frozen=True)
class Deletion:
    """One clip's deletion curves over one lane.

    Attributes:
        lane: name of the lane.
        share: float [p], share of hidden steps, 0 to 1.
        explained: float [p], the score in the explanation's order.
        random: float [orders, p], the score in each random order.
    """

    lane: str
    share: np.ndarray
    explained: np.ndarray
    random: np.ndarray

    @property
    def area(self) -> float:
        """Area under the explanation's curve."""
        return float(np.trapezoid(self.explained, self.share))

    @property
    def random_area(self) -> float:
        """Mean area under the random orders' curves."""
        return float(np.trapezoid(self.random, self.share, axis=1).mean())


def deletion(
    subject: Subject,
    row: int,
    lane: Lane,
    importance: np.ndarray,
    label: str,
    name: str,
    orders: int = 5,
    seed: int = 0,
) -> Deletion | None:
    """Hide a lane's steps from the most to the least important; None where there is only one.

    Args:
        subject: model and samples.
        row: the sample.
        lane: the lane whose steps are hidden.
        importance: float [n] of each step; ties come in random order.
        label: the label whose score is measured.
        name: the sample's id; its random orders are a function of it and of the seed.
        orders: number of random orders.
        seed: of the random orders.
    """
    count = len(lane.at)
    if count < 2:
        return None
    draw = np.random.default_rng((seed, zlib.crc32(name.encode()), zlib.crc32(lane.name.encode())))
    ranked = [np.lexsort((draw.random(count), -importance))]
    ranked += [draw.permutation(count) for _ in range(orders)]
    cuts = np.linspace(0, count, min(count, MOST_CUTS) + 1).round().astype(int)
    shown = subject.present(row)
    views = []
    for order in ranked:
        rank = np.empty(count, int)
        rank[order] = np.arange(count)
        views += [View(row, shown, lane.hidden(rank < cut)) for cut in cuts]
    scores = distinct_scores(subject, views)[:, subject.labels.index(label)]
    curves = scores.reshape(len(ranked), len(cuts))
    return Deletion(lane.name, cuts / count, curves[0], curves[1:])


@dataclass(frozen=True)
class Verdict:
    """The result of deletion for one lane over clips.

    `explained` and `random` are mean areas; `difference` is their paired difference.
    """

    lane: str
    explained: Score
    random: Score
    difference: Difference

    @property
    def faithful(self) -> bool:
        """Whether the explanation's order lowers the score faster than a random one."""
        return self.difference.n > 1 and self.difference.ci_high < 0

    def line(self) -> str:
        """The verdict in words."""
        d = self.difference
        if d.n < 2:
            return f"{self.lane}: {d.value:+.3f} on one clip: no interval, so no evidence"
        figures = f"{d.value:+.3f} [{d.ci_low:+.3f}, {d.ci_high:+.3f}], {d.n} clips"
        if self.faithful:
            how = "lowers the score faster than a random one"
        elif d.ci_low > 0:
            how = "lowers the score more slowly than a random one: it is misleading"
        else:
            how = "is not shown to lower the score faster than a random one"
        return f"{self.lane}: the explanation's order {how}: {figures}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        d = self.difference
        return {
            "lane": self.lane,
            "area": self.explained.value,
            "random_area": self.random.value,
            "difference": d.value,
            "ci_low": d.ci_low if d.n > 1 else None,
            "ci_high": d.ci_high if d.n > 1 else None,
            "p": d.p if d.n > 1 else None,
            "clips": d.n,
            "faithful": self.faithful,
        }


def verdicts(
    areas: Mapping[str, Sequence[tuple[float, float]]],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Verdict]:
    """One verdict per lane, from (area, random area) of each clip that has it."""
    found = []
    for lane, pairs in areas.items():
        explained, random = np.array(pairs, float).T
        found.append(
            Verdict(
                lane,
                mean_score(explained, len(pairs), resamples=resamples, seed=seed),
                mean_score(random, len(pairs), resamples=resamples, seed=seed),
                mean_difference(explained, random, resamples=resamples, seed=seed),
            )
        )
    return found
