"""From an answer to a label, or to the reason why there is none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emollama.arena.configuration import Form
from emollama.arena.sending import EMOTION, SCORES
from emollama.endpoints.written import first_object, without_reasoning
from emollama.manifest.labels import LabelSet
from emollama.scoring.predictions.parsing import parse_exact, parse_words
from emollama.scoring.predictions.predictions import SUM_TOLERANCE

NO_JSON = "not the JSON that was asked for"
NO_ANSWER = "no answer"


@dataclass(frozen=True)
class Read:
    """A label, or why there is none; `scores` where every label has its probability."""

    label: str | None
    failure: str | None = None
    scores: Mapping[str, float] | None = None


def read(text: str, form: Form, labels: LabelSet) -> Read:
    """What an answer in words or JSON says."""
    if form == "text":
        parsed = parse_words(without_reasoning(text), labels)
        return Read(parsed.label, parsed.failure)
    value = first_object(text)
    named = None if value is None else value.get(EMOTION)
    if value is None or not isinstance(named, str):
        return Read(None, NO_JSON)
    parsed = parse_exact(named, labels)
    scores = _scores(value.get(SCORES), labels) if form == "scores" else None
    return Read(parsed.label, parsed.failure, scores)


def _scores(value: Any, labels: LabelSet) -> dict[str, float] | None:
    """Probabilities of all labels that sum to 1; None where the answer has no such thing."""
    if not isinstance(value, dict) or set(value) != set(labels.labels):
        return None
    if not all(_is_share(x) for x in value.values()):
        return None
    close = abs(math.fsum(value.values()) - 1) <= SUM_TOLERANCE
    return {label: float(value[label]) for label in labels.labels} if close else None


def _is_share(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and 0 <= value <= 1


def read_row(row: Mapping[str, Any], form: Form, labels: LabelSet) -> Read:
    """What a row of the answers says."""
    if row["status"] != "ok":
        return Read(None, str(row.get("reason") or NO_ANSWER))
    if row.get("text") is None:
        scores = {label: float(row["scores"][label]) for label in labels.labels}
        return Read(max(labels.labels, key=lambda x: scores[x]), None, scores)
    return read(str(row["text"]), form, labels)
