"""Predictions files of several folds as one: pooled scores, and means over folds."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from emollama.errors import EmollamaError
from emollama.evaluation.predictions import Prediction, Predictions


def pooled(parts: Sequence[Predictions]) -> Predictions:
    """The rows of all files; each file is a fold of its own where its rows do not name one.

    Header and path are the first file's, the SHA-256 is that of all files' hashes in order.

    Raises:
        EmollamaError: other labels, or an answer that stands in two files.
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    rows: list[Prediction] = []
    seen: dict[tuple[str, tuple[str, ...], str], str] = {}
    for number, part in enumerate(parts, 1):
        where = str(part.path or f"file {number}")
        if part.header.labels.labels != first.header.labels.labels:
            raise EmollamaError(f"{where}: its labels are not those of {first.path or 'file 1'}")
        for row in part.rows:
            key = (row.id, row.channels, row.system)
            if key in seen:
                raise EmollamaError(
                    f"{where}: '{row.id}' is also in {seen[key]}; folds that are pooled test "
                    "different clips"
                )
            seen[key] = where
            named = row if row.fold else row.model_copy(update={"fold": str(number)})
            rows.append(named)
    digests = "".join(p.sha256 or "" for p in parts)
    return replace(first, rows=tuple(rows), sha256=hashlib.sha256(digests.encode()).hexdigest())
