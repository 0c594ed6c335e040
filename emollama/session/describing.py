"""Words of any vocabulary for what a person feels, from a model that learned to list them."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from emollama.base.errors import EmollamaError
from emollama.llm.artefact import LlmArtefact
from emollama.llm.inference import written
from emollama.runs.artefact import Artefact
from emollama.scoring.predictions.parsing import parse_set
from emollama.session.answer import Answer
from emollama.session.clip_view import ClipView

TOKENS = 48
"""Longest list."""


def require_describing(artefact: Artefact) -> None:
    """Raise an error unless the model learned to list words.

    Raises:
        EmollamaError: it did not.
    """
    if not artefact.taught_to_describe:
        raise EmollamaError(
            f"model '{artefact.name}' did not learn to describe: train one with "
            "tasks.describe.share on clips with a set of words, or leave --describe out"
        )


def with_description(artefact: Artefact, look: ClipView, answer: Answer) -> Answer:
    """The answer to a clip, with the words that the model lists of it; () where it names none.

    Raises:
        EmollamaError: as `require_describing`.
    """
    require_describing(artefact)
    llm = cast(LlmArtefact, artefact)  # no other model learns it
    evidence = [llm.processor.for_label(look.evidence)]
    (text,) = written(llm.model, llm.processor, evidence, "describe", TOKENS, engine=llm.engine)
    return replace(answer, described=parse_set(text))
