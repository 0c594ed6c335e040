"""Offsets of labels: a decision for weighted F1 in place of the most probable label.

Where one label is half of a corpus, the most probable label is that one too often for a metric that
weighs all of them. An offset a label, added to the log of its score before the highest is taken,
moves that balance. Offsets are fitted on other samples than they are scored on (Collell, Prelec &
Patil 2018 call it threshold moving).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.scoring.metrics.formulas import one_hot, weighted_f1
from emollama.scoring.metrics.label_scores import probability_cases
from emollama.scoring.predictions.prediction import Prediction, set_name
from emollama.scoring.predictions.predictions import Predictions

STEPS = np.array(sorted(np.round(np.arange(-20, 21) * 0.1, 1), key=abs))
SWEEPS = 5
SMALLEST = 1e-9
DECISION = "decision"


def fit_offsets(held: Predictions) -> tuple[dict[str, float], int]:
    """The offset of each label that gives the highest weighted F1 on these predictions.

    One label after the other is moved over a grid of tenths until none gains; of equally good
    offsets the smallest is taken, and a label that no row shows keeps 0. The first system's rows
    with its largest set of channels count, those with a reference and scores.

    Returns:
        Offsets by label, and how many rows they were fitted on.

    Raises:
        EmollamaError: no row with a reference and scores.
    """
    system, channels = held.headline()
    cases = probability_cases(held.select(channels, system), held.header.labels)
    if not cases.rows:
        raise EmollamaError("offsets need rows with a reference and scores; none has both")
    truth, logs = cases.truth, _logs(cases.answer)
    once = np.ones((1, len(truth)))
    offsets = np.zeros(logs.shape[1])
    for _ in range(SWEEPS):
        before = offsets.copy()
        for k in np.flatnonzero(truth.any(axis=0)):
            tried = np.repeat(offsets[None], len(STEPS), axis=0)
            tried[:, k] = STEPS
            answers = (logs + tried[:, None]).argmax(axis=2)
            f1 = [weighted_f1(truth, one_hot(a, len(offsets)), once)[0] for a in answers]
            offsets[k] = STEPS[int(np.argmax(np.round(f1, 12)))]
        if (offsets == before).all():
            break
    return dict(zip(held.header.labels.labels, offsets.tolist(), strict=True)), len(truth)


def with_offsets(found: Predictions, held: Predictions) -> Predictions:
    """The predictions with each answer that has scores decided anew, by offsets fitted on `held`.

    The header's settings say so under `DECISION`.

    Raises:
        EmollamaError: `held` is of other channels, or there is nothing to fit or to decide.
    """
    system, channels = found.headline()
    theirs = held.headline()
    if theirs[1] != channels:
        raise EmollamaError(
            f"its answers use {set_name(theirs[1])}, those to be decided use {set_name(channels)}; "
            "offsets are valid only for the channels that they were fitted on"
        )
    if all(row.scores is None for row in found.select(channels, system)):
        raise EmollamaError("the predictions have no scores, which offsets need")
    offsets, rows = fit_offsets(held)
    labels = found.header.labels.labels
    moves = np.array([offsets[x] for x in labels])

    def decided(row: Prediction) -> Prediction:
        if row.scores is None:
            return row
        logs = _logs(np.array([row.scores[x] for x in labels]))
        label = labels[int((logs + moves).argmax())]
        return row.model_copy(update={"label": label, "parse_failure": None})

    moved = ", ".join(f"{x} {v:+.1f}" for x, v in offsets.items() if v) or "none"
    name = held.path.name if held.path else "predictions"
    told = (
        f"offsets ({moved}) fitted on {rows} answers of {theirs[0]} in {name}, "
        f"SHA-256 {held.sha256}"
    )
    settings = {**found.header.settings, DECISION: told}
    header = found.header.model_copy(update={"settings": settings})
    return replace(found, header=header, rows=tuple(decided(row) for row in found.rows))


def _logs(scores: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(np.maximum(scores, SMALLEST)))
