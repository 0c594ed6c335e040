"""Whether the channels of a clip, and the expression of its face, answer as the model does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from emollama.manifest.labels import label_set
from emollama.media.presence import LEAST_FACES
from emollama.runs.artefact import TaskKind
from emollama.scoring.metrics.referee import conflict
from emollama.scoring.predictions.parsing import parse_words
from emollama.session.answer import Answer
from emollama.session.clip_view import ClipView
from emollama.session.observation import Timeline

_CLEAR = 0.5  # mean probability from which the face reader says something
_NONE = "neutral"  # of an expression: shows nothing


def channels_alone(look: ClipView, task: TaskKind) -> list[ClipView]:
    """The clip with each of its channels alone; [] where it has one, or one label is not asked."""
    if len(look.used) < 2 or task not in ("label", "label+values"):
        return []
    return [look.only([channel]) for channel in look.used]


def with_disagreement(answer: Answer, look: ClipView, alone: Sequence[Answer]) -> Answer:
    """The answer with what each channel alone says, and a note where they differ.

    Args:
        answer: of one label; another kind stays as it is.
        look: the clip.
        alone: the answers to `channels_alone` of it.
    """
    if answer.label is None:
        return answer
    said: dict[str, str] = {
        c: one.label for c, one in zip(look.used, alone, strict=False) if one.label
    }
    found = replace(
        answer,
        alone=said,
        conflict=conflict([one.scores for one in alone]),
        face_reader=_shown(look, tuple(answer.scores)),
    )
    if found.disagreement is None:
        return found
    first = [note for note in found.notes if note in found.leading]
    rest = [note for note in found.notes if note not in found.leading]
    return replace(found, notes=(*first, found.disagreement, *rest))


def _shown(look: ClipView, labels: Sequence[str]) -> str | None:
    """The expression of the face in words of the model; None without a clear one."""
    if "face" not in look.channels:
        return None
    word = clear_expression(look.observation.timeline)
    if word is None:
        return None
    return parse_words(word, label_set("of the model", *labels)).label or word


def clear_expression(timeline: Timeline) -> str | None:
    """The expression that a face shows on average over a clip; None where it is not clear."""
    rows = timeline.expressions
    known = rows[np.isfinite(rows).all(axis=1)] if len(rows) else rows
    if not len(known) or len(known) < LEAST_FACES * len(rows):
        return None
    mean = known.mean(axis=0)
    word = timeline.classes[int(mean.argmax())]
    return word if mean.max() >= _CLEAR and word != _NONE else None
