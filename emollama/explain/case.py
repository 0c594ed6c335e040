"""One explained clip: scores, Shapley values, occlusion curves, maps, and their checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from emollama.explain.deletion import Deletion, deletion
from emollama.explain.maps import Map, named_maps
from emollama.explain.occlusion import Curve, lanes_of, occlusion_curve
from emollama.manifest.channels import Channel
from emollama.runs.shapley import Attribution, attribution, deletion_by_modality, subset_scores
from emollama.runs.subject import Subject
from emollama.scoring.reasons.check import CheckedReason, Origin

ROUNDING = 0.01
"""Of a probability: a smaller change may be the rounding of another batch."""


@dataclass(frozen=True)
class Settings:
    """Settings of explanations.

    `window` is in seconds, None for an eighth of the clip; `orders` is the number of random orders
    that an explanation is compared with.
    """

    window: float | None = None
    orders: int = 5
    seed: int = 0


@dataclass(frozen=True)
class Case:
    """One explained clip.

    Attributes:
        id: of the clip.
        text: its subtitle.
        true: the true label, if known.
        truth: each channel's own emotion, if known.
        scores: of every label.
        several: whether the scores are independent of each other.
        channels: of each modality.
        answered: attribution of the label with the highest score.
        of_true: attribution of the true label if it is another one.
        curves: occlusion over time, one per lane.
        deletions: one per lane with two steps or more.
        by_modality: areas of the deletion of modalities, and in random order.
        maps: the system's own maps (fusion models).
        reason: in words (language models); `reason_from`: whose, as of `Answer`.
        notes: remarks, e.g. on missing parts.
    """

    id: str
    text: str | None
    true: str | None
    truth: Mapping[Channel, str]
    scores: dict[str, float]
    several: bool
    channels: dict[str, Channel]
    answered: Attribution
    of_true: Attribution | None
    curves: tuple[Curve, ...]
    deletions: tuple[Deletion, ...]
    by_modality: tuple[float, float] | None
    maps: tuple[Map, ...] = ()
    reason: str | None = None
    notes: tuple[str, ...] = field(default=())
    reason_from: Origin | None = None

    @property
    def areas(self) -> dict[str, tuple[float, float]]:
        """By lane, the area of the explanation's deletion and of random ones.

        The deletion of whole modalities is a lane named by `parts`.
        """
        found = {d.lane: (d.area, d.random_area) for d in self.deletions}
        return found | ({self.parts: self.by_modality} if self.by_modality else {})

    @property
    def parts(self) -> str:
        """What is hidden as a whole: "channels", or "modalities" where they have other names."""
        same = all(name == channel for name, channel in self.channels.items())
        return "channels" if same else "modalities"

    def noise(self, curve: Curve) -> float:
        """The fall of the score that says nothing of a window: what random steps cost.

        That is the largest change by hiding a tenth of the lane's steps in a random order, as the
        deletion test does, and at least `ROUNDING`.
        """
        random = next((d.random for d in self.deletions if d.lane == curve.lane.name), None)
        if random is None:
            return ROUNDING
        return max(ROUNDING, float(np.abs(random[:, 1] - random[:, 0]).max()))

    def because(self, told: CheckedReason) -> Case:
        """The same with a reason."""
        return replace(self, reason=told.text, reason_from=told.origin)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; without maps and pictures."""
        return {
            "id": self.id,
            "text": self.text,
            "label": self.answered.label,
            "true": self.true,
            "truth": dict(self.truth),
            "scores": self.scores,
            "shapley": [_plain(a) for a in (self.answered, self.of_true) if a is not None],
            "occlusion": [
                {
                    "lane": c.lane.name,
                    "unit": "seconds" if c.lane.timed else "step",
                    "window": c.width,
                    "centres": _rounded(c.centres),
                    "drop": _rounded(c.drop),
                    "noise": round(self.noise(c), 6),
                    "words": list(c.lane.words),
                }
                for c in self.curves
            ],
            "deletion": {
                lane: {"area": area, "random_area": random}
                for lane, (area, random) in self.areas.items()
            },
            "reason": self.reason,
            "reason_from": self.reason_from,
            "notes": list(self.notes),
        }


def explain_row(
    subject: Subject,
    row: int,
    name: str,
    settings: Settings,
    *,
    text: str | None = None,
    true: str | None = None,
    truth: Mapping[Channel, str] | None = None,
    notes: tuple[str, ...] = (),
) -> Case:
    """Explain a model's answer to one of its samples.

    Args:
        subject: model and samples.
        row: the sample.
        name: its id.
        settings: window, random orders, seed.
        text: its subtitle.
        true: the true label.
        truth: each channel's own emotion.
        notes: remarks, e.g. on missing parts.
    """
    table = subset_scores(subject, row)
    full = table[subject.present(row)]
    answered = subject.labels[int(full.argmax())]
    steps = subject.steps(row)
    curves, deletions = [], []
    for lane in lanes_of(steps):
        curve = occlusion_curve(subject, row, lane, answered, settings.window)
        curves.append(curve)
        held = deletion(subject, row, lane, curve.importance, answered, name,
                        settings.orders, settings.seed)  # fmt: skip
        if held is not None:
            deletions.append(held)
    whole = [n.strip() for n, s in steps.items() if len(s.times) == 1]
    if whole:
        notes += (f"one step for the whole clip, not occluded over time: {', '.join(whole)}",)
    main = attribution(subject, row, table, answered)
    other = true if true in subject.labels and true != answered else None
    return Case(
        id=name,
        text=text,
        true=true,
        truth=truth or {},
        scores=dict(zip(subject.labels, full.tolist(), strict=True)),
        several=subject.several,
        channels={m.name: m.channel for m in subject.modalities},
        answered=main,
        of_true=None if other is None else attribution(subject, row, table, other),
        curves=tuple(curves),
        deletions=tuple(deletions),
        by_modality=deletion_by_modality(main),
        maps=tuple(named_maps(subject.maps(row), steps, subject.tracks, subject.labels)),
        notes=notes,
    )


def _plain(found: Attribution) -> dict[str, Any]:
    return {
        "label": found.label,
        "full": found.full,
        "empty": found.empty,
        "probability": found.probability,
        "log_odds": found.log_odds,
    }


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(v), 6) for v in values]
