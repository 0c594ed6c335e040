"""What a model makes of a clip."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What the model makes of a clip.

    `scores` are probabilities over the label set; `label` the most probable; `clues` measured
    words by channel; `reason` free text, or None when it was not asked for. A model of several
    labels answers with `labels` (each score by itself) in place of one, one of quantities with
    `values`; of frames, those are means over the clip, and `frames` holds them over time.
    """

    label: str | None
    scores: dict[str, float]
    channels: tuple[str, ...]
    clues: dict[str, str]
    text: str | None
    reason: str | None
    notes: tuple[str, ...]
    seconds: float
    labels: tuple[str, ...] | None = None
    values: dict[str, float] | None = None
    frames: Frames | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        more: dict[str, Any] = {}
        if self.labels is not None:
            more["labels"] = list(self.labels)
        if self.values is not None:
            more["values"] = {k: round(v, 6) for k, v in self.values.items()}
        if self.frames is not None:
            more["frames"] = self.frames.to_dict()
        return {
            **more,
            "label": self.label,
            "scores": {k: round(v, 6) for k, v in self.scores.items()},
            "channels": list(self.channels),
            "clues": self.clues,
            "text": self.text,
            "reason": self.reason,
            "notes": list(self.notes),
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class Frames:
    """Quantities over time: `times` in seconds, and by name as many values (NaN: not known)."""

    times: tuple[float, ...]
    values: dict[str, tuple[float, ...]]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: "times" and each quantity by name; what is not known is None."""
        columns = {"times": self.times, **self.values}
        return {
            name: [round(v, 6) if math.isfinite(v) else None for v in row]
            for name, row in columns.items()
        }


@dataclass(frozen=True)
class Weights:
    """Which channel carried an answer: exact Shapley values over all subsets of the channels.

    Attributes:
        label: whose probability is attributed.
        full: that probability with all channels that were used; `empty` with none.
        channels: by channel, its share of the difference; negative where it spoke against.
    """

    label: str
    full: float
    empty: float
    channels: dict[str, float]

    @property
    def carrier(self) -> str | None:
        """The channel with the largest share; None where none spoke for the label."""
        best = max(self.channels, key=lambda c: self.channels[c], default=None)
        return best if best is not None and self.channels[best] > 0 else None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "label": self.label,
            "with_all": round(self.full, 6),
            "with_none": round(self.empty, 6),
            "channels": {k: round(v, 6) for k, v in self.channels.items()},
            "carried_by": self.carrier,
        }
