"""Words of any vocabulary for what a person feels, from a model that learned to list them."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from emollama.base.errors import EmollamaError
from emollama.base.paths import learned_to_describe
from emollama.llm.artefact import LlmArtefact
from emollama.llm.inference import written
from emollama.runs.artefact import Artefact
from emollama.scoring.predictions.parsing import parse_set
from emollama.session.answer import Answer
from emollama.session.clip_view import ClipView

TOKENS = 48
"""Longest list."""


def can_describe(artefact: Artefact) -> bool:
    """Whether the model learned it."""
    return learned_to_describe(artefact.record)


def require_describing(artefact: Artefact) -> None:
    """Raise an error unless the model learned it; see `need_describing` for one not yet opened.

    Raises:
        EmollamaError: naming the model.
    """
    if not can_describe(artefact):
        raise EmollamaError(
            f"model '{artefact.name}' did not learn to describe: leave describe out, or use a "
            "model trained with tasks.describe.share"
        )


def with_description(artefact: Artefact, look: ClipView, answer: Answer) -> Answer:
    """The answer to a clip, with the words that the model lists of it; () where it names none.

    Args:
        artefact: that learned it (`can_describe`).
        look: the clip.
        answer: to it.
    """
    llm = cast(LlmArtefact, artefact)  # no other model learns it
    evidence = [llm.processor.for_label(look.evidence)]
    (text,) = written(llm.model, llm.processor, evidence, "describe", TOKENS, engine=llm.engine)
    return replace(answer, described=parse_set(text))
