"""Predictions files of several folds as one: pooled scores, and means over folds."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from emollama.base.errors import EmollamaError
from emollama.scoring.predictions.prediction import Prediction, set_name
from emollama.scoring.predictions.predictions import Predictions


def pooled(parts: Sequence[Predictions]) -> Predictions:
    """The rows of all files; each file is a fold of its own where its rows do not name one.

    Header and path are the first file's, the SHA-256 is that of all files' hashes in order, and
    `parts` are the files. Models may differ, for each fold has one; whatever else decides which
    rows are scored may not.

    Raises:
        EmollamaError: another corpus, split or labels, rows scored of another system or set of
            channels, or an answer that stands in two files.
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    rows: list[Prediction] = []
    seen: dict[tuple[str, tuple[str, ...], str], str] = {}
    for number, part in enumerate(parts, 1):
        where = str(part.path or f"file {number}")
        _require_fold_of(first, part, where)
        for row in part.rows:
            key = (row.id, row.channels, row.system)
            if key in seen:
                raise EmollamaError(
                    f"{where}: '{row.id}' is also in {seen[key]}; pooled folds must "
                    "have different clips"
                )
            seen[key] = where
            named = row if row.fold else row.model_copy(update={"fold": str(number)})
            rows.append(named)
    digests = "".join(p.sha256 or "" for p in parts)
    digest = hashlib.sha256(digests.encode()).hexdigest()
    return replace(first, rows=tuple(rows), sha256=digest, parts=tuple(parts))


def _require_fold_of(first: Predictions, part: Predictions, where: str) -> None:
    """Refuse a file of another corpus, split, system or set of channels than the first."""
    name = first.path or "file 1"
    if part.header.labels.labels != first.header.labels.labels:
        raise EmollamaError(f"{where}: its labels differ from those of {name}")
    for key in ("corpus", "split"):
        mine, theirs = getattr(part.header, key), getattr(first.header, key)
        if mine != theirs:
            raise EmollamaError(
                f"{where}: has {key} '{mine}', but {name} has '{theirs}'; files scored "
                "together must be folds of one corpus and split"
            )
    (system, channels), (other, wanted) = part.headline(), first.headline()
    if (system, channels) != (other, wanted):
        raise EmollamaError(
            f"{where}: its scored rows come from '{system}' with {set_name(channels)}, those of "
            f"{name} from '{other}' with {set_name(wanted)}; folds must agree in both"
        )
