"""Compares attributions with each channel's own emotion, where it is known.

On clips whose channels disagree, the answered label is shown by some of them. A faithful
attribution puts the highest Shapley value on one of those; picking a modality at random would do so
as often as their share of all modalities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emollama.manifest.channels import Channel
from emollama.scoring.metrics.bootstrap import RESAMPLES
from emollama.scoring.metrics.measure import Difference, Score, mean_difference, mean_score


@dataclass(frozen=True)
class Weighed:
    """One clip: the Shapley values of the answered label, and each channel's own emotion.

    `values` are those of the clip's modalities; `channels` gives the channel of each.
    """

    label: str
    values: Mapping[str, float]
    channels: Mapping[str, Channel]
    truth: Mapping[Channel, str]


@dataclass(frozen=True)
class Agreement:
    """How often the highest Shapley value is on a modality that shows the answered label.

    Attributes:
        hits: share of clips where it is.
        chance: share of the modalities that show the label, mean over the same clips.
        difference: hits minus chance, paired.
        by_channel: for the clips whose label only this channel shows: their number, and how often
            the highest value is on it.
    """

    hits: Score
    chance: Score
    difference: Difference
    by_channel: Mapping[Channel, tuple[int, float]]

    def line(self) -> str:
        """The finding in words."""
        d = self.difference
        verdict = "more often than chance" if d.ci_low > 0 else "not shown to beat chance"
        return (
            f"the highest Shapley value is on a channel that shows the answered label on "
            f"{self.hits.value:.3f} of {d.n} clips whose channels disagree, by chance on "
            f"{self.chance.value:.3f}: {verdict} ({d.value:+.3f} [{d.ci_low:+.3f}, "
            f"{d.ci_high:+.3f}])"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        d = self.difference
        return {
            "clips": d.n,
            "hits": self.hits.value,
            "chance": self.chance.value,
            "difference": d.value,
            "ci_low": d.ci_low,
            "ci_high": d.ci_high,
            "p": d.p,
            "label_shown_by_one_channel": {
                c: {"clips": n, "hits": share} for c, (n, share) in self.by_channel.items()
            },
        }


def agreement(
    clips: Sequence[Weighed], *, resamples: int = RESAMPLES, seed: int = 0
) -> Agreement | None:
    """Hits against chance over the informative clips; None if there are fewer than two.

    A clip is informative if each of its modalities' channels has a known emotion, and some but not
    all of them show the answered label. Tied highest values each count in part.
    """
    hits, chances = [], []
    lone: dict[Channel, list[float]] = {}
    for clip in clips:
        if any(clip.channels[name] not in clip.truth for name in clip.values):
            continue
        shows = {n: clip.truth[clip.channels[n]] == clip.label for n in clip.values}
        if all(shows.values()) or not any(shows.values()):
            continue
        best = max(clip.values.values())
        top = [n for n, v in clip.values.items() if v == best]
        hits.append(sum(shows[n] for n in top) / len(top))
        chances.append(sum(shows.values()) / len(shows))
        showing = {clip.channels[n] for n, shown in shows.items() if shown}
        if len(showing) == 1:
            lone.setdefault(next(iter(showing)), []).append(hits[-1])
    if len(hits) < 2:
        return None
    mine, blind = np.array(hits, float), np.array(chances, float)
    return Agreement(
        hits=mean_score(mine, len(clips), resamples=resamples, seed=seed),
        chance=mean_score(blind, len(clips), resamples=resamples, seed=seed),
        difference=mean_difference(mine, blind, resamples=resamples, seed=seed),
        by_channel={c: (len(v), float(np.mean(v))) for c, v in sorted(lone.items())},
    )
