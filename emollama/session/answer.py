"""The answer of a model to a clip."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from emollama.inputs.familiarity import Familiar
from emollama.manifest.channels import says
from emollama.media.languages import Language
from emollama.scoring.metrics.referee import followed
from emollama.scoring.reasons.check import Origin

REASON_FROM: dict[Origin, str] = {
    "model": "in the model's own words, which agree with what was measured",
    "both": "in the model's own words, and what was measured in place of those that are not true",
    "clues": "built from what was measured; these are not the model's own words",
}
"""Who wrote a reason, in plain words."""


@dataclass(frozen=True)
class PersonSummary:
    """Whom a clip was measured against.

    Attributes:
        clips: number of clips that the person is known by.
        variety: 0 where they vary as clips of one label do, 1 where as clips of all labels.
        name: of a stored person.
    """

    clips: int
    variety: float
    name: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        found: dict[str, Any] = {"clips": self.clips, "variety": round(self.variety, 3)}
        return found if self.name is None else {**found, "name": self.name}


@dataclass(frozen=True)
class Answer:
    """The answer of a model to a clip.

    `scores` are probabilities over the label set; `label` the most probable; `clues` measured words
    by channel, relative to `compared_with`; `reason` free text, or None if it was not requested,
    and `reason_from` whose: "model", "clues" for sentences that are built from what was measured
    where the model's own words do not agree with it, "both" for some of each. A model with several
    labels answers with `labels` (independent scores) instead of one, a model of quantities with
    `values`; for frames, those are means over the clip, and `frames` holds them over time. `absent`
    says why a channel of the model that the clip lacks is not used. `person` says whom the clip was
    measured against, if it was; `language` is that of what is said, where the transcriber knows
    several, `speech_seconds` how long somebody speaks. `familiar` says how far the clip lies from
    the model's training clips; `alone` what each channel alone answers, where there are several,
    `face_reader` the expression that the face shows, if any is clear; `conflict` (0..1) is how
    likely, by their scores, two channels show different emotions. `described` are words of any
    vocabulary for what the person feels, where they were asked for.

    Of a calibrated model `calibrated` are the probabilities after its temperature; `scores` stay
    what the model says. If a `coverage` was asked for, `label_set` holds the labels that the clip
    may show, the likeliest first. `seconds` are those of decoding and encoding the clip, however
    long ago, and of the answer.
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
    calibrated: dict[str, float] | None = None
    coverage: float | None = None
    label_set: tuple[str, ...] | None = None
    absent: Mapping[str, str] = field(default_factory=dict)
    person: PersonSummary | None = None
    language: Language | None = None
    reason_from: Origin | None = None
    compared_with: str | None = None

    @property
    def reason_in_words(self) -> str:
        """Who wrote the reason, in plain words; "" without one."""
        if self.reason_from is None:
            return ""
        told = "; its last sentence is from asking each channel alone" if self.verdict else ""
        return f"{REASON_FROM[self.reason_from]}{told}"

    speech_seconds: float | None = None
    familiar: Familiar | None = None
    alone: Mapping[str, str] = field(default_factory=dict)
    face_reader: str | None = None
    conflict: float | None = None
    described: tuple[str, ...] | None = None

    @property
    def follows(self) -> tuple[str, ...]:
        """The channels that alone give the same label, where channels disagree; else ()."""
        several = len(set(self.alone.values())) > 1
        return followed(self.label, self.alone) if several else ()

    @property
    def verdict(self) -> str | None:
        """Where the channels alone disagree, what each says and whom the answer follows."""
        if len(set(self.alone.values())) < 2:
            return None
        each = ", ".join(f"the {c} alone {says(c)} {label}" for c, label in self.alone.items())
        follows = f", as the {' and the '.join(self.follows)}" if self.follows else ""
        return f"The channels disagree: {each}; together they say {self.label}{follows}."

    @property
    def disagreement(self) -> str | None:
        """A sentence where the channels alone, or the face reader, answer otherwise; else None."""
        found = [] if self.verdict is None else [self.verdict]
        if None not in (self.face_reader, self.label) and self.face_reader != self.label:
            found.append(f"The face reader says {self.face_reader}, the model says {self.label}.")
        return " ".join(found) or None

    @property
    def leading(self) -> tuple[str, ...]:
        """What is said above the answer: that it cannot be trusted, or that channels disagree."""
        warning = None if self.familiar is None else self.familiar.warning
        return tuple(line for line in (warning, self.disagreement) if line is not None)

    @property
    def remarks(self) -> tuple[str, ...]:
        """The notes that are not `leading`."""
        return tuple(note for note in self.notes if note not in self.leading)

    @property
    def undecided(self) -> bool:
        """Whether the set holds more than half of the labels."""
        return self.label_set is not None and 2 * len(self.label_set) > len(self.scores)

    @property
    def in_words(self) -> str:
        """The set of labels: "angry or disgust", "cannot tell: ..." if undecided."""
        *most, last = self.label_set or ("",)
        named = f"{', '.join(most)} or {last}" if most else last
        return f"cannot tell: {named}" if self.undecided else named

    @property
    def set_in_words(self) -> str:
        """With the coverage asked for: "90% coverage: angry or disgust"."""
        return f"{100 * (self.coverage or 0):g}% coverage: {self.in_words}"

    @property
    def described_in_words(self) -> str | None:
        """The words of any vocabulary: "described as: hurt, let down"; None if not asked for."""
        if self.described is None:
            return None
        return f"described as: {', '.join(self.described) or 'nothing'}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        more: dict[str, Any] = {}
        if self.labels is not None:
            more["labels"] = list(self.labels)
        if self.values is not None:
            more["values"] = {k: round(v, 6) for k, v in self.values.items()}
        if self.frames is not None:
            more["frames"] = self.frames.to_dict()
        if self.calibrated is not None:
            more["calibrated"] = {k: round(v, 6) for k, v in self.calibrated.items()}
        if self.label_set is not None:
            more["coverage"] = self.coverage
            more["label_set"] = list(self.label_set)
            more["undecided"] = self.undecided
        if self.person is not None:
            more["person"] = self.person.to_dict()
        if self.language is not None:
            more["language"] = self.language.to_dict()
        if self.speech_seconds is not None:
            more["speech_seconds"] = round(self.speech_seconds, 2)
        if self.alone:
            more["alone"] = dict(self.alone)
            more["follows"] = list(self.follows)
        if self.conflict is not None:
            more["conflict"] = round(self.conflict, 3)
        if self.described is not None:
            more["described"] = list(self.described)
        if self.face_reader is not None:
            more["face_reader"] = self.face_reader
        return {
            **more,
            "label": self.label,
            "scores": {k: round(v, 6) for k, v in self.scores.items()},
            "channels": list(self.channels),
            "absent": dict(self.absent),
            "familiar": None if self.familiar is None else self.familiar.to_dict(),
            "clues": self.clues,
            "compared_with": self.compared_with,
            "text": self.text,
            "reason": self.reason,
            "reason_from": self.reason_from,
            "notes": list(self.notes),
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class Frames:
    """Quantities over time: `times` in seconds, and as many values by name (NaN: unknown)."""

    times: tuple[float, ...]
    values: dict[str, tuple[float, ...]]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: "times" and each quantity by name; unknown values are None."""
        columns = {"times": self.times, **self.values}
        return {
            name: [round(v, 6) if math.isfinite(v) else None for v in row]
            for name, row in columns.items()
        }


@dataclass(frozen=True)
class Weights:
    """The channels' shares in an answer: exact Shapley values over all subsets of the channels.

    Attributes:
        label: the label whose probability is attributed.
        full: its probability with all channels in use; `empty` with none.
        channels: by channel, its share of the difference; negative if it speaks against the label.
    """

    label: str
    full: float
    empty: float
    channels: dict[str, float]

    @property
    def carrier(self) -> str | None:
        """The channel with the largest share; None if none supports the label."""
        best = max(self.channels, key=lambda c: self.channels[c], default=None)
        return best if best is not None and self.channels[best] > 0 else None

    @property
    def sentence(self) -> str:
        """Which channel the answer rests on, in one sentence."""
        if self.carrier is None:
            return f"No channel supported {self.label}."
        return f"The {self.carrier} contributed most to the answer {self.label}."

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "label": self.label,
            "with_all": round(self.full, 6),
            "with_none": round(self.empty, 6),
            "channels": {k: round(v, 6) for k, v in self.channels.items()},
            "carried_by": self.carrier,
        }
