"""One prediction: the answer of one system to one sample, and the channels it was given."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from emollama.manifest.channels import CHANNELS, Channel
from emollama.manifest.labels import LabelSet
from emollama.manifest.sample import Sample

MODEL = "model"
"""`Prediction.system` of the model under evaluation; baselines carry other names."""

LONGEST_ID = 200
Quantity = float | tuple[float, ...]
"""A number of the whole clip, or one a frame."""


def channel_sets(channels: Sequence[Channel] = CHANNELS) -> list[tuple[Channel, ...]]:
    """Every non-empty set of `channels`: single ones first, then pairs, then all."""
    ordered = [c for c in CHANNELS if c in channels]
    return [s for size in range(1, len(ordered) + 1) for s in combinations(ordered, size)]


def set_name(channels: Sequence[str]) -> str:
    """How a set of channels is written in tables: 'voice + words'; 'none' when it is empty."""
    return " + ".join(channels) or "none"


class Prediction(BaseModel):
    """One system's answer to one sample with one set of channels present.

    Attributes:
        id: the sample's id.
        channels: channels present in this pass, always in the order voice, face, words.
        system: who answered: "model", or the name of a baseline.
        reference: the true label, None where it is not known.
        label: the answer, scored or parsed; None when there is none.
        parse_failure: why there is no label; a row with a reference has a label or this.
        scores: probability of every label of the set, summing to 1.
        answer: generated text the label was parsed from, if it was.
        reason: generated explanation; `reference_reason` the corpus's own.
        clues: clues that the clip really holds, where the corpus knows (rendered clips).
        lacks: those of `channels` that the clip does not have.
        truth: each channel's own emotion, where the corpus knows it.
        latency_ms: time from prompt to answer.
        group: what a resample must not cut through (a speaker), if resampling by group.
        values: answered quantities (sentiment, valence, arousal): one number, or one a frame.
        reference_values: the true ones, the same number of frames.
        times: of frames, seconds of each one's centre from the clip's start.
        labels: every label answered, where a sample may show several; () says "none of them".
        reference_labels: every true label.
        reference_votes: share of the annotators who chose each label; the rest are 0.
        label_scores: a score in 0..1 of every label of the set, each by itself (no sum).
        words: emotion words answered freely, as written; they need not be labels.
        reference_words: the true words.
        fold: of the cross-validation that the row belongs to.
        pair: what a clip and its twin are called, which are the same but for one cue.
        differs: that cue.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1, max_length=LONGEST_ID)
    channels: tuple[Channel, ...] = CHANNELS
    system: str = Field(default=MODEL, min_length=1)
    reference: str | None = None
    label: str | None = None
    parse_failure: str | None = None
    scores: dict[str, float] | None = None
    answer: str | None = None
    reason: str | None = None
    reference_reason: str | None = None
    clues: tuple[str, ...] | None = None
    lacks: tuple[Channel, ...] | None = None
    truth: dict[Channel, str] | None = None
    latency_ms: float | None = None
    group: str | None = None
    values: dict[str, Quantity] | None = None
    reference_values: dict[str, Quantity] | None = None
    times: tuple[float, ...] | None = None
    labels: tuple[str, ...] | None = None
    reference_labels: tuple[str, ...] | None = None
    reference_votes: dict[str, float] | None = None
    label_scores: dict[str, float] | None = None
    words: tuple[str, ...] | None = None
    reference_words: tuple[str, ...] | None = None
    fold: str | None = None
    pair: str | None = None
    differs: str | None = None

    @property
    def given(self) -> tuple[Channel, ...]:
        """The channels of this pass that the clip has."""
        return tuple(c for c in self.channels if c not in (self.lacks or ()))

    @field_validator("channels")
    @classmethod
    def _in_order(cls, value: tuple[Channel, ...]) -> tuple[Channel, ...]:
        if len(set(value)) != len(value):
            raise ValueError("a channel is named twice")
        return tuple(c for c in CHANNELS if c in value)

    @classmethod
    def scored(
        cls,
        sample: Sample,
        labels: LabelSet,
        probabilities: Sequence[float],
        channels: Sequence[Channel] = CHANNELS,
        system: str = MODEL,
        **more: Any,
    ) -> Prediction:
        """The prediction that label scores make: the label of highest probability.

        What the manifest knows of the sample (reference, votes, group, each channel's own emotion,
        and beside a `reason` the reference one) goes into the row. `probabilities` [K] are in the
        label set's order and are kept to six significant digits; a tie goes to the label that
        comes first.
        """
        best = max(range(len(labels.labels)), key=lambda k: probabilities[k])
        return cls(
            id=sample.id,
            channels=tuple(channels),
            system=system,
            reference=sample.targets.emotion,
            reference_votes=sample.targets.shares(),
            label=labels.labels[best],
            scores={
                x: float(f"{p:.5g}") for x, p in zip(labels.labels, probabilities, strict=True)
            },
            reference_reason=sample.targets.reason if "reason" in more else None,
            truth=channel_truth(sample, labels),
            group=sample.group,
            **twin_of(sample),
            **more,
        )


def channel_truth(sample: Sample, labels: LabelSet) -> dict[Channel, str] | None:
    """Each channel's own emotion, where a sample's `truth` tells it; None where it tells none."""
    found: dict[Channel, str] = {}
    for channel in CHANNELS:
        word = sample.truth.get(channel)
        label = labels.canonical(word) if isinstance(word, str) else None
        if label is not None:
            found[channel] = label
    return found or None


def twin_of(sample: Sample) -> dict[str, Any]:
    """The fields `pair` and `differs` of a clip that has a twin."""
    return {k: str(sample.truth[k]) for k in ("pair", "differs") if k in sample.truth}
