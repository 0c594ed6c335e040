"""Answers with calibrated probabilities, and with the set of labels that a clip may show."""

from __future__ import annotations

from dataclasses import replace

from emollama.scoring.calibration.calibration import Calibration, in_row
from emollama.scoring.predictions.prediction import set_name
from emollama.session.answer import Answer


def with_coverage(
    calibration: Calibration | None, answer: Answer, coverage: float | None
) -> Answer:
    """The answer with calibrated probabilities and, if asked for, the set of labels.

    An answer from channels that were not calibrated, or of other labels, stays as it is; where a
    set was asked for, a note says so.

    Args:
        calibration: of the model; None for one that has none.
        answer: to one clip.
        coverage: see `Session.answer`; None for no set.
    """
    if calibration is None or set(answer.scores) != set(calibration.labels):
        return answer
    found = calibration.of(answer.channels)
    if found is None:
        if coverage is None:
            return answer
        note = (
            f"no set of labels: answers from {set_name(answer.channels)} were not calibrated, "
            f"only from: {calibration.known}"
        )
        return replace(answer, notes=(*answer.notes, note))
    names = tuple(answer.scores)
    row = in_row(answer.scores, names)
    calibrated = found.probabilities(row)[0].tolist()
    answer = replace(answer, calibrated=dict(zip(names, calibrated, strict=True)))
    if coverage is None:
        return answer
    (held,) = found.sets(row, coverage)
    ranked = sorted(
        (label for label, inside in zip(names, held, strict=True) if inside),
        key=lambda label: -answer.scores[label],
    )
    notes = [found.promise(coverage)]
    if found.unseen:
        notes.append(f"no clip of {', '.join(found.unseen)} was calibrated on")
    return replace(
        answer, coverage=coverage, label_set=tuple(ranked), notes=(*answer.notes, *notes)
    )
