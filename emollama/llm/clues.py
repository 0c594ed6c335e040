"""Measured clues in words: voice and face, relative to the training split or to the person.

Rules are data. A voice rule compares one prosody column with its mean and deviation over the
training split and gives a word when it is more than `THRESHOLD` deviations away; the face is
described by the expression classifier's mean probabilities. Both read the tracks that the model is
shown, which are measured against the clip's person where that is known. The words are used in the
prompt of a reason, in `predict`'s output and on the page. A model keeps the voice rules that it was
trained with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from emollama.encoders.base import FeatureTrack
from emollama.scoring.reasons.voice_words import ORDINARY

if TYPE_CHECKING:  # a configuration reads the rules, and opens without torch
    from emollama.inputs.person import Person, PersonPrior
    from emollama.llm.configuration import StreamConfig
    from emollama.llm.heads.clue_heads import ClueHeads

CORPUS = "the training corpus"
"""What words on the voice are relative to where nobody is known."""
THRESHOLD = 0.6
CLEAR_EXPRESSION = 0.5


@dataclass(frozen=True)
class VoiceRule:
    """Words for one prosody column: below, and above the usual range."""

    column: str
    low: str
    high: str


VOICE_RULES: tuple[VoiceRule, ...] = (
    VoiceRule("f0_mean", "low pitch", "high pitch"),
    VoiceRule("f0_range", "flat melody", "lively melody"),
    VoiceRule("energy_mean", "quiet voice", "loud voice"),
    VoiceRule("speech_rate", "slow speech", "fast speech"),
)
MORE_VOICE_RULES: tuple[VoiceRule, ...] = (
    *VOICE_RULES,
    VoiceRule("brightness", "soft timbre", "sharp timbre"),
    VoiceRule("energy_range", "even loudness", "changing loudness"),
    VoiceRule("pause_fraction", "few pauses", "many pauses"),
)
"""Of models that learn reasons from measured clues alone: two or more are found in most voices."""
EXPRESSION_PREFIX = "probability "


@dataclass(frozen=True)
class ColumnStatistics:
    """Names, means and deviations of a stream's columns over the training split, and the rules."""

    columns: tuple[str, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    rules: tuple[VoiceRule, ...] = VOICE_RULES


@dataclass(frozen=True)
class ClueWords:
    """Turns the tracks of named columns into words, by stream name.

    `heads` of a channel, where a model has them, take the place of its rules.
    """

    statistics: Mapping[str, ColumnStatistics] = field(default_factory=dict)
    heads: ClueHeads | None = None

    @property
    def streams(self) -> set[str]:
        """Names of the streams that are read."""
        heads = self.heads.heads.values() if self.heads else ()
        return set(self.statistics).union(*(head.streams for head in heads))

    @classmethod
    def fit(
        cls,
        tracks: Mapping[str, tuple[tuple[str, ...], Iterable[np.ndarray]]],
        rules: tuple[VoiceRule, ...] = VOICE_RULES,
    ) -> ClueWords:
        """Fit on {stream: (column names, values [T, D] of each training clip)}."""
        fitted: dict[str, ColumnStatistics] = {}
        for name, (columns, values) in tracks.items():
            means = np.stack([v.mean(axis=0) for v in values])
            fitted[name] = ColumnStatistics(
                columns,
                tuple(float(x) for x in means.mean(axis=0)),
                tuple(float(x) for x in means.std(axis=0)),
                rules,
            )
        return cls(fitted)

    def describe(self, tracks: Mapping[str, FeatureTrack | None]) -> dict[str, str]:
        """Words for each channel that has any: {"voice": "high pitch, loud", "face": ...}.

        `tracks` are those that the model is shown.
        """
        words: dict[str, str] = {}
        for name, statistics in self.statistics.items():
            track = tracks.get(name)
            if track is None or not statistics.columns:
                continue
            values = track.values.mean(axis=0)
            if voice := _voice_words(statistics, values):
                words["voice"] = voice
            if face := _face_words(statistics, values):
                words["face"] = face
        if self.heads is not None:
            words |= self.heads.describe(tracks)
        return {channel: said for channel, said in words.items() if said}

    def compared_with(
        self,
        tracks: Mapping[str, FeatureTrack | None],
        streams: Iterable[StreamConfig],
        prior: PersonPrior | None,
        person: Person | None,
        name: str | None = None,
    ) -> str:
        """What the words on the voice are relative to: `CORPUS`, or "4 clips of this person".

        Args:
            tracks: of the clip.
            streams: of the model.
            prior: of the model; None where it measures nobody.
            person: whom the clip is measured against.
            name: of a stored person.
        """
        voice = {s.name for s in streams if s.channel == "voice"} & self.streams
        heard = [stream for stream in voice if tracks.get(stream) is not None]
        if person is None or not any(prior and prior.measures(s, person) for s in heard):
            return CORPUS
        return person.in_words(name)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for an artefact."""
        return {
            name: {
                "columns": list(s.columns),
                "mean": list(s.mean),
                "deviation": list(s.deviation),
                "rules": [[r.column, r.low, r.high] for r in s.rules],
            }
            for name, s in self.statistics.items()
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ClueWords:
        """The inverse of `to_dict`."""
        found: dict[str, ColumnStatistics] = {}
        for name, s in values.items():
            columns, mean, deviation = (tuple(s[k]) for k in ("columns", "mean", "deviation"))
            if not len(columns) == len(mean) == len(deviation):
                raise ValueError(
                    f"'{name}' has {len(columns)} columns, but another number of means and "
                    "deviations"
                )
            rules = (
                tuple(VoiceRule(*map(str, rule)) for rule in s["rules"])
                if "rules" in s
                else VOICE_RULES
            )
            found[name] = ColumnStatistics(columns, mean, deviation, rules)
        return cls(found)


def _voice_words(statistics: ColumnStatistics, values: np.ndarray) -> str:
    relative = {
        name: float(value - mean) / deviation if deviation > 1e-6 else 0.0
        for name, value, mean, deviation in zip(
            statistics.columns, values, statistics.mean, statistics.deviation, strict=True
        )
    }
    if words := voice_words(relative, statistics.rules):
        return ", ".join(words)
    return ORDINARY if any(r.column in statistics.columns for r in statistics.rules) else ""


def voice_words(relative: Mapping[str, float], rules: Sequence[VoiceRule]) -> list[str]:
    """Words for prosody columns that are more than `THRESHOLD` deviations away, by the rules.

    The one place where a number becomes a word: `predict` and `merr` say the same of a voice.
    """
    found = [(rule, relative.get(rule.column, 0.0)) for rule in rules]
    return [rule.low if z < 0 else rule.high for rule, z in found if abs(z) > THRESHOLD]


def _face_words(statistics: ColumnStatistics, values: np.ndarray) -> str:
    probabilities = {
        column.removeprefix(EXPRESSION_PREFIX): float(values[i])
        for i, column in enumerate(statistics.columns)
        if column.startswith(EXPRESSION_PREFIX)
    }
    if not probabilities:
        return ""
    first, second = sorted(probabilities, key=probabilities.__getitem__, reverse=True)[:2]
    if probabilities[first] >= CLEAR_EXPRESSION:
        return f"face looks {first}"
    return f"face between {first} and {second}"
