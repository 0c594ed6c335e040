"""What a report measures on reasons: of the model's, and of the reasons to compare them with.

The same measures of every system's reasons for the same clips: the model, the template of the
measured clues with the model's answer and with the regression's, and the model without the clues
that its prompts otherwise hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Unpack

from emollama.manifest.channels import Channel
from emollama.manifest.labels import LabelSet
from emollama.scoring.metrics.bootstrap import Draws
from emollama.scoring.metrics.faithfulness import (
    Faithfulness,
    LabelNaming,
    clue_faithfulness,
    label_naming,
)
from emollama.scoring.metrics.hallucination import Hallucination, Vocabulary, hallucination
from emollama.scoring.predictions.parsing import named_labels
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.predictions.predictions import Predictions
from emollama.scoring.predictions.systems import OF_REASONS
from emollama.scoring.reasons.claims import conclusion


@dataclass(frozen=True)
class ReasonScores:
    """Scores of one system's reasons; None where there are fewer than two, or no truth.

    Attributes:
        faithfulness: named clues against the clip's.
        hallucination: named clues that are not in the clip, by kind.
        label_naming: whether reasons name the clip's label.
        consistency: whether reasons come to the system's own answer.
    """

    faithfulness: Faithfulness | None
    hallucination: Hallucination | None
    label_naming: LabelNaming | None
    consistency: LabelNaming | None


def reason_scores(
    rows: Sequence[Prediction],
    labels: LabelSet,
    vocabulary: Vocabulary | None,
    **draws: Unpack[Draws],
) -> ReasonScores:
    """Score the reasons of one system's rows, of one set of channels."""
    groups = {r.id: r.group for r in rows}
    rendered = {r.id: r.clues for r in rows if r.clues}
    reasons = {r.id: r.reason for r in rows if r.reason is not None}
    faithful = hallucinated = None
    if vocabulary is not None and len(reasons.keys() & rendered.keys()) > 1:
        named_in = vocabulary.named_in
        faithful = clue_faithfulness(reasons, rendered, named_in, groups, **draws)
        hallucinated = hallucination(rows, vocabulary, **draws)
    named = {r.id: named_labels(r.reason, labels) for r in rows if r.reason and r.reference}
    references = {r.id: r.reference for r in rows if r.reference}
    naming = label_naming(named, references, groups, **draws) if len(named) > 1 else None
    answers = {r.id: r.label for r in rows if r.label}
    ends = {r.id: conclusion(r.reason, labels) for r in rows if r.reason and r.label}
    came_to = {name: {end[1]} if end else set() for name, end in ends.items()}
    agreeing = label_naming(came_to, answers, groups, **draws) if len(came_to) > 1 else None
    return ReasonScores(faithful, hallucinated, naming, agreeing)


def beside(
    every: Predictions,
    channels: Sequence[Channel],
    rows: Sequence[Prediction],
    systems: Sequence[str],
) -> dict[str, list[Prediction]]:
    """Rows of other systems by system, with reasons where the first system gives one, too.

    Args:
        every: the rows of all systems.
        channels: of `rows`.
        rows: of the first system, which is evaluated.
        systems: others to look for; those that answered for reasons alone are added.
    """
    told = {r.id for r in rows if r.reason is not None}
    found = {}
    for system in (*OF_REASONS, *systems):
        theirs = every.select(channels, system)
        if theirs:
            found[system] = [
                r if r.id in told else r.model_copy(update={"reason": None}) for r in theirs
            ]
    return found
