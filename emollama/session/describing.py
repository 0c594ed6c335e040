"""Words of any vocabulary for what a person feels, from a model that learned to list them."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from emollama.llm.artefact import LlmArtefact
from emollama.llm.inference import written
from emollama.runs.artefact import Artefact
from emollama.scoring.predictions.parsing import parse_set
from emollama.session.answer import Answer
from emollama.session.clip_view import ClipView

TOKENS = 48
"""Longest list."""


def with_description(artefact: Artefact, look: ClipView, answer: Answer) -> Answer:
    """The answer to a clip, with the words that the model lists of it; () where it names none.

    Args:
        artefact: that learned it (`need_describing`).
        look: the clip.
        answer: to it.
    """
    llm = cast(LlmArtefact, artefact)  # no other model learns it
    evidence = [llm.processor.for_label(look.evidence)]
    (text,) = written(llm.model, llm.processor, evidence, "describe", TOKENS, engine=llm.engine)
    return replace(answer, described=parse_set(text))
