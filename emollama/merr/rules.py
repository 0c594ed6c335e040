"""From facial signs to emotions by a table of rules, with words for intensity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field, StringConstraints, ValidationError

from emollama.base.config import Strict
from emollama.base.errors import EmollamaError
from emollama.manifest.labels import LabelSet
from emollama.merr.measure.names import EXPRESSION_PREFIX
from emollama.merr.tables import read_table

NEUTRAL = "neutral"
BLINK = "AU45"
"""Blinks are excluded: everybody blinks, and a blink is not a sign of an emotion."""
_LEAST = 1e-3  # probability of an expression below which differences mean nothing


class Scale(Strict):
    """Thresholds of one intensity scale: presence, and words for higher intensities."""

    present: float
    words: dict[str, float]


class Zero(Strict):
    """The score of neutral, which an emotion must exceed, on each scale."""

    absolute: float
    relative: float


Unit = Annotated[str, StringConstraints(pattern=r"^AU\d\d$")]


class RuleTable(Strict):
    """A rule table as in its YAML file."""

    about: str
    emotions: dict[str, Annotated[dict[Unit, Annotated[float, Field(gt=0)]], Field(min_length=1)]]
    least_share: Annotated[float, Field(ge=0, le=1)]
    absolute: Scale
    relative: Scale
    neutral: Zero
    others: Annotated[float, Field(ge=0)]
    sharpness: Annotated[float, Field(gt=0)]
    expressions: dict[str, list[str]]


@dataclass(frozen=True)
class Judged:
    """The judgement of the rules on a face.

    Attributes:
        label: of the label set; None if no rule applies and the face is not neutral.
        odds: log-probability of each label in the rules.
        present: signs present, strongest first.
        intensity: word for the mean intensity of the label's own signs; "" for neutral.
    """

    label: str | None
    odds: dict[str, float]
    present: tuple[str, ...]
    intensity: str


class Rules:
    """A rule table over a label set.

    Args:
        name: of a table, or a YAML file.
        labels: labels that rules may give; rules for others are left out.
        relative: intensities are deviations from the corpus rather than 0 to 5.

    Raises:
        EmollamaError: no such table, a key is missing or unknown, or no rule is for these labels.
    """

    def __init__(self, name: str, labels: LabelSet, relative: bool) -> None:
        try:
            self.table = RuleTable.model_validate(read_table(name))
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"] if part != "[key]")
            raise EmollamaError(f"rules '{name}': '{key}': {first['msg']}") from error
        self.labels, self.relative = labels, relative
        self.rules = {
            label: units
            for word, units in self.table.emotions.items()
            if (label := labels.canonical(word)) is not None
        }
        if not self.rules:
            raise EmollamaError(
                f"rules '{name}': no rule is for a label of set '{labels.name}' "
                f"({', '.join(labels.labels)})"
            )
        self.scale = self.table.relative if relative else self.table.absolute
        self._zero = self.table.neutral.relative if relative else self.table.neutral.absolute

    @property
    def fingerprint(self) -> str:
        """Of table, label set and scale."""
        facts = [self.table.model_dump(), list(self.labels.labels), self.relative]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]

    def judge(self, signs: Mapping[str, float]) -> Judged:
        """Emotion of intensities by sign: action units, or expressions ("looks happy").

        A rule's score is the weighted mean intensity of its units, minus a penalty for units of
        other rules; neutral has a fixed score. Rules with too little of their weight present do not
        apply. Units that are not among the signs were not measured and are ignored.
        """
        if any(sign.startswith(EXPRESSION_PREFIX) for sign in signs):
            return self._expressions(signs)
        present = self.present(signs)
        known = {unit for units in self.table.emotions.values() for unit in units}
        scores: dict[str, float] = {}
        for emotion in self.rules:
            units = self._measured(emotion, signs)
            if not units:
                continue
            own = sum(signs[unit] * weight for unit, weight in units.items())
            others = [max(signs[u], 0.0) for u in sorted(known - set(units)) if u in signs]
            against = self.table.others * sum(others) / len(others) if others else 0.0
            scores[emotion] = own / sum(units.values()) - against
        if NEUTRAL in self.labels.labels:
            scores[NEUTRAL] = self._zero
        odds = log_softmax({k: v * self.table.sharpness for k, v in scores.items()})
        fits = [
            e for e in scores
            if e == NEUTRAL or self._applies(self._measured(e, signs), present, scores[e])
        ]  # fmt: skip
        label = max(fits, key=scores.__getitem__, default=None)
        return Judged(label, odds, present, self._word(label, signs))

    def present(self, signs: Mapping[str, float]) -> tuple[str, ...]:
        """Signs of at least the scale's minimum intensity, strongest first, without blinks."""
        seen = [s for s, v in signs.items() if v >= self.scale.present and s != BLINK]
        return tuple(sorted(seen, key=lambda s: (-signs[s], s)))

    def _measured(self, emotion: str, signs: Mapping[str, float]) -> dict[str, float]:
        """A rule's units that this source of signs can measure."""
        return {u: w for u, w in self.rules[emotion].items() if u in signs}

    def _applies(self, units: Mapping[str, float], present: Sequence[str], score: float) -> bool:
        share = sum(w for u, w in units.items() if u in present) / sum(units.values())
        return share >= self.table.least_share and score > 0

    def _word(self, label: str | None, signs: Mapping[str, float]) -> str:
        if label is None or label == NEUTRAL:
            return ""
        own = [signs[u] for u in self.rules[label] if signs.get(u, 0) >= self.scale.present]
        return self.word(float(np.mean(own))) if own else ""

    def word(self, intensity: float) -> str:
        """The word for an intensity; "" below the first."""
        fits = [(least, word) for word, least in self.scale.words.items() if intensity >= least]
        return max(fits)[1] if fits else ""

    def _expressions(self, signs: Mapping[str, float]) -> Judged:
        """A classifier's calibrated log-probabilities of the classes in the label set."""
        scores: dict[str, float] = {}
        sign_of: dict[str, str] = {}
        for name, choices in self.table.expressions.items():
            label = next(filter(None, map(self.labels.canonical, choices)), None)
            if label is not None:
                sign_of[label] = EXPRESSION_PREFIX + name
                scores[label] = signs[sign_of[label]]
        odds = log_softmax(scores)
        label = max(odds, key=odds.__getitem__, default=None)
        return Judged(label, odds, (sign_of[label],) if label is not None else (), "")


def expression_evidence(probability: float) -> float:
    """A classifier's probability as an additive score: its floored logarithm."""
    return float(np.log(max(probability, _LEAST)))


def log_softmax(scores: Mapping[str, float]) -> dict[str, float]:
    """Convert scores by name to log-probabilities."""
    if not scores:
        return {}
    values = np.array(list(scores.values()))
    values = values - values.max()
    logs = values - np.log(np.exp(values).sum())
    return {name: round(float(v), 4) for name, v in zip(scores, logs, strict=True)}
