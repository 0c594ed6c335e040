"""Answers with calibrated probabilities, and with the set of labels that a clip may show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from emollama.base.errors import EmollamaError
from emollama.scoring.calibration.calibration import Calibration, in_row
from emollama.scoring.calibration.conformal import require_coverage
from emollama.scoring.predictions.prediction import set_name
from emollama.session.answer import Answer

if TYPE_CHECKING:
    from emollama.session.base import Session


def require_calibrated(
    session: Session, coverage: float | None, labels: Sequence[str] | None = None
) -> None:
    """Raise an error unless a set of labels can be given; None asks for none.

    Raises:
        EmollamaError: a coverage that is no share, a model without calibration or one label a
            clip, or labels that are not its own.
    """
    if coverage is None:
        return
    require_coverage(coverage)
    if session.artefact.task not in ("label", "label+values"):
        raise EmollamaError(
            f"model '{session.name}' does not answer with one label a clip, which coverage needs"
        )
    if labels is not None:
        raise EmollamaError("coverage is of the model's own labels; it cannot be had of others")
    if session.calibration is None:
        raise EmollamaError(
            f"model '{session.name}' was not calibrated, which coverage needs; calibrate it with "
            "`emollama calibrate`"
        )


def with_coverage(
    calibration: Calibration | None, answer: Answer, coverage: float | None
) -> Answer:
    """The answer with calibrated probabilities and, if asked for, the set of labels.

    An answer from channels that were not calibrated, or of other labels, stays as it is; where a
    set was asked for, a note says so.

    Args:
        calibration: of the model; None for one that has none.
        answer: to one clip.
        coverage: see `require_coverage`; None for no set.
    """
    if calibration is None or set(answer.scores) != set(calibration.labels):
        return answer
    found = calibration.of(answer.channels)
    if found is None:
        if coverage is None:
            return answer
        note = (
            f"no label set: answers from {set_name(answer.channels)} were not calibrated, "
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
