"""Which of two descriptions is the better one, asked in both orders (MER2026-Prefer).

Answers are the labels "a1" and "a2". The challenge ranks by weighted F1 over the two (accuracy
second), which `weighted_f1` and `accuracy` give. A model may favour whatever stands first; asked
again with the two exchanged, its answers average that out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from emollama.base.errors import EmollamaError
from emollama.manifest.labels import LabelSet
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.predictions.predictions import Predictions

PREFERENCE = LabelSet("preference", ("a1", "a2"))
ORDER_DECIDES = "the order decides"


def order_averaged(given: Predictions, swapped: Predictions) -> Predictions:
    """The answers in the given order and in the other, made into one.

    Where both rows have scores they are averaged, each description with itself; else both must
    prefer the same description, or the row is a parse failure of its own kind.

    Args:
        given: rows over two labels.
        swapped: of the same clips with the two descriptions exchanged, answered as they stood
            there: its "a1" is the "a2" of `given`.

    Raises:
        EmollamaError: other than two labels, or a clip that only one of the two has.
    """
    labels = given.header.labels.labels
    if len(labels) != 2 or swapped.header.labels.labels != labels:
        raise EmollamaError(
            f"{swapped.path or 'the swapped answers'}: averaging over orders needs the same two "
            f"labels in both files, not {', '.join(labels)}"
        )
    other = {(r.id, r.channels, r.system): r for r in swapped.rows}
    rows = []
    for row in given.rows:
        again = other.get((row.id, row.channels, row.system))
        if again is None:
            raise EmollamaError(f"{swapped.path or 'the swapped answers'}: has no '{row.id}'")
        rows.append(_joined(row, again, labels))
    return replace(given, rows=tuple(rows))


def _joined(row: Prediction, again: Prediction, labels: Sequence[str]) -> Prediction:
    first, second = labels
    if row.scores and again.scores:
        scores = {
            first: (row.scores[first] + again.scores[second]) / 2,
            second: (row.scores[second] + again.scores[first]) / 2,
        }
        # Exactly even, the order has decided both times.
        even = scores[first] == scores[second]
        label = None if even else max(labels, key=lambda x: scores[x])
        return _with(row, label, ORDER_DECIDES).model_copy(update={"scores": scores})
    if row.label is None or again.label is None:
        failure = row.parse_failure or again.parse_failure
        return _with(row, None, failure or ORDER_DECIDES)
    meant = second if again.label == first else first
    return _with(row, row.label if row.label == meant else None, ORDER_DECIDES)


def _with(row: Prediction, label: str | None, failure: str) -> Prediction:
    update = {"label": label, "parse_failure": None if label else failure}
    return row.model_copy(update=update)
