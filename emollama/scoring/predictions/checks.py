"""What a predictions file may hold besides one label: quantities, several labels, free words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.manifest.labels import LabelSet
from emollama.scoring.predictions.prediction import Prediction, Quantity

NO_VALENCE = -10.0
"""MER2023's value for a clip without valence."""
NO_WORDS = "no words"
"""The failure of a row without a reason."""


def series(value: Quantity) -> tuple[float, ...]:
    """A quantity as numbers over time; a number of the whole clip is a series of one."""
    return value if isinstance(value, tuple) else (value,)


def checked_answers(place: str, row: Prediction, labels: LabelSet) -> dict[str, Any]:
    """The row's fields as they should stand (labels canonical), or an `EmollamaError`.

    Args:
        place: what the error begins with.
        row: as it was read.
        labels: the file's label set.
    """
    update: dict[str, Any] = {}
    for name in ("labels", "reference_labels"):
        words = getattr(row, name)
        if words is not None:
            meant = [labels.require(w, f"{place}: {name}") for w in words]
            if len(set(meant)) != len(meant):
                raise EmollamaError(f"{place}: {name}: a label is named twice")
            # The order of a set says nothing; kept in the label set's own, equal sets are equal.
            update[name] = tuple(x for x in labels.labels if x in meant)
    if row.reference_votes is not None:
        update["reference_votes"] = _votes(place, row.reference_votes, labels)
    if row.label_scores is not None:
        update["label_scores"] = _label_scores(place, row.label_scores, labels)
    for name in ("values", "reference_values"):
        _finite(f"{place}: {name}", getattr(row, name) or {})
    _same_frames(place, row.values or {}, row.reference_values or {})
    if row.times is not None:
        _finite(place, {"times": row.times})
        for name, value in (row.values or {}).items():
            if len(series(value)) != len(row.times):
                raise EmollamaError(
                    f"{place}: values.{name} has {len(series(value))} numbers and times "
                    f"{len(row.times)}; each frame must have one"
                )
    if row.fold is not None and not row.fold.strip():
        raise EmollamaError(f"{place}: fold is empty")
    return update


def _votes(place: str, votes: dict[str, float], labels: LabelSet) -> dict[str, float]:
    """Shares by label that sum to 1, of numbers of votes or shares."""
    known = {labels.require(w, f"{place}: reference_votes"): n for w, n in votes.items()}
    total = math.fsum(known.values())
    if (
        len(known) < len(votes)
        or not all(n >= 0 for n in known.values())
        or not 0 < total < math.inf
    ):
        raise EmollamaError(
            f"{place}: reference_votes must be votes of distinct labels, 0 or more, and at least "
            "one above 0"
        )
    return {label: known[label] / total for label in labels.labels if known.get(label)}


def _label_scores(place: str, scores: dict[str, float], labels: LabelSet) -> dict[str, float]:
    odd = sorted(set(scores) ^ set(labels.labels))
    if odd:
        state = "is not in" if odd[0] in scores else "is missing; it is in"
        raise EmollamaError(f"{place}: label_scores: '{odd[0]}' {state} label set '{labels.name}'")
    for label, value in scores.items():
        if not 0 <= value <= 1:  # NaN fails too
            raise EmollamaError(f"{place}: label_scores.{label} is {value}; it must be in 0..1")
    return {label: scores[label] for label in labels.labels}


def _finite(place: str, values: Mapping[str, Quantity]) -> None:
    for name, value in values.items():
        numbers = series(value)
        if not numbers:
            raise EmollamaError(f"{place}.{name} is an empty list")
        odd = next((x for x in numbers if not math.isfinite(x)), None)
        if odd is not None:
            raise EmollamaError(f"{place}.{name} holds {odd}; it must be finite")


def _same_frames(place: str, values: Mapping[str, Quantity], truth: Mapping[str, Quantity]) -> None:
    for name in values.keys() & truth.keys():
        have, need = len(series(values[name])), len(series(truth[name]))
        if have != need:
            raise EmollamaError(
                f"{place}: values.{name} has {have} numbers and reference_values.{name} {need}; "
                "each needs one number for each frame"
            )
