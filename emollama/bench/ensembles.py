"""Several trained models as one: the mean of their probabilities, a row of the table by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.bench.configuration import BenchConfig
from emollama.bench.plan import Row
from emollama.manifest.labels import LabelSet
from emollama.scoring.predictions.prediction import Prediction


def members(bench: BenchConfig, rows: Mapping[str, Row]) -> dict[str, list[str]]:
    """By name of the ensemble: the keys of the rows that it is made of.

    Raises:
        EmollamaError: no such row; a task that has no single label; a name that a row has.
    """
    names = {row.name: key for key, row in rows.items()}
    found: dict[str, list[str]] = {}
    for title, wanted in bench.ensembles.items():
        if title in names:
            raise EmollamaError(f"ensembles: '{title}' is a row's own name; choose another")
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
    """The mean over all members of the probabilities of each clip; a tie goes to the first label.

    Args:
        each: the answers of a model and seed, all to the same clips.
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
