"""Ensembles: the mean of several models' probabilities as a row of the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.bench.configuration import BenchConfig
from emollama.bench.plan import Row
from emollama.manifest.labels import LabelSet
from emollama.scoring.predictions.prediction import Prediction


def members(bench: BenchConfig, rows: Mapping[str, Row]) -> dict[str, list[str]]:
    """The keys of each ensemble's rows, by its name.

    Raises:
        EmollamaError: no such row, a task without single labels, or a name that a row already has.
    """
    names = {row.name: key for key, row in rows.items()}
    found: dict[str, list[str]] = {}
    for title, wanted in bench.ensembles.items():
        if title in names:
            raise EmollamaError(
                f"ensembles: '{title}' is already the name of a row; choose another"
            )
        for name in wanted:
            if name not in names:
                raise EmollamaError(f"ensembles.{title}: row '{name}'{did_you_mean(name, names)}")
        found[title] = [names[name] for name in wanted]
    kinds = {row.config.task.kind for row in rows.values()}
    if found and not kinds <= {"label", "label+values"}:
        raise EmollamaError(
            "ensembles: they average probabilities of single labels, which this task does not have"
        )
    return found


def together(each: Sequence[Sequence[Prediction]], labels: LabelSet) -> list[Prediction]:
    """The mean over members of each clip's probabilities; a tie goes to the first label.

    Args:
        each: the answers of one model and seed, all to the same clips.
        labels: the label set.
    """
    places = [{row.id: row for row in rows} for rows in each]
    found = []
    for row in each[0]:
        scores = [place[row.id].scores or {} for place in places]
        mean = np.mean([[s[x] for x in labels.labels] for s in scores], axis=0)
        found.append(
            row.model_copy(
                update={
                    "label": labels.labels[int(mean.argmax())],
                    "scores": dict(zip(labels.labels, mean.tolist(), strict=True)),
                    "values": None,
                }
            )
        )
    return found
