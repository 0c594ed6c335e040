"""Scorable rows as arrays: what metrics compute on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.manifest.labels import LabelSet
from emollama.scoring.metrics.bootstrap import By
from emollama.scoring.predictions.prediction import Prediction


@dataclass(frozen=True)
class Outcomes:
    """Scorable rows as arrays, in order of id, so that the order of a file changes nothing.

    Attributes:
        labels: K labels; code K means "no label was parsed".
        ids: ids of the n rows that have a reference.
        reference: int [n] in 0..K-1.
        answer: int [n] in 0..K.
        scores: float [n, K], NaN in rows without scores.
        groups: the rows' groups.
        failures: how many of the n rows failed to parse, by reason.
        total: rows given, those without a reference included.
    """

    labels: LabelSet
    ids: tuple[str, ...]
    reference: np.ndarray
    answer: np.ndarray
    scores: np.ndarray
    groups: tuple[str | None, ...]
    failures: dict[str, int]
    total: int

    @classmethod
    def of(cls, predictions: Sequence[Prediction], labels: LabelSet) -> Outcomes:
        """Encode one system's rows with one channel set.

        Raises:
            EmollamaError: an id that stands twice, or a label outside the label set.
        """
        code = {label: k for k, label in enumerate(labels.labels)}
        rows = sorted((p for p in predictions if p.reference is not None), key=lambda p: p.id)
        twice = [i for i, n in Counter(p.id for p in rows).items() if n > 1]
        if twice:
            raise EmollamaError(
                f"id '{twice[0]}' stands twice; score one system and one channel set at a time"
            )
        for row in rows:
            for word in (row.reference, row.label):
                if word is not None and word not in code:
                    raise EmollamaError(
                        f"id '{row.id}': '{word}' is not in label set '{labels.name}'"
                        f"{did_you_mean(word, labels.labels)}"
                    )
        size = len(labels.labels)
        empty = [np.nan] * size
        scores = [[p.scores[x] for x in labels.labels] if p.scores else empty for p in rows]
        return cls(
            labels=labels,
            ids=tuple(p.id for p in rows),
            reference=np.array([code[p.reference or ""] for p in rows], dtype=np.int64),
            answer=np.array(
                [size if p.label is None else code[p.label] for p in rows], dtype=np.int64
            ),
            scores=np.array(scores, dtype=np.float64).reshape(len(rows), size),
            groups=tuple(p.group for p in rows),
            failures=dict(
                sorted(
                    Counter(p.parse_failure or "no label" for p in rows if p.label is None).items()
                )
            ),
            total=len(predictions),
        )

    def take(self, ids: Sequence[str]) -> Outcomes:
        """These ids only, in this order."""
        place = {name: i for i, name in enumerate(self.ids)}
        index = np.array([place[i] for i in ids], dtype=np.int64)
        return Outcomes(
            self.labels, tuple(ids), self.reference[index], self.answer[index],
            self.scores[index], tuple(self.groups[i] for i in index), self.failures, self.total,
        )  # fmt: skip

    def units(self, by: By) -> np.ndarray:
        """What a resample draws, int [n]: each row its own unit, or its group's code."""
        if by == "sample":
            return np.arange(len(self.ids))
        for name, group in zip(self.ids, self.groups, strict=True):
            if group is None:
                raise EmollamaError(f"id '{name}' has no group; resample by sample instead")
        return np.unique(np.array(self.groups, dtype=str), return_inverse=True)[1]


def confusion_matrix(outcomes: Outcomes) -> np.ndarray:
    """Counts int [K, K + 1]: rows are references, columns answers, the last one unparsed."""
    size = len(outcomes.labels.labels)
    cells = outcomes.reference * (size + 1) + outcomes.answer
    return np.bincount(cells, minlength=size * (size + 1)).reshape(size, size + 1)
