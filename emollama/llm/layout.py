"""Prompt layouts: where streams, words and instruction stand, as data.

One layout serves training, evaluation, chat and serving, so that a model is never asked in a form
it was not trained on. A layout is a system sentence and the lines of the user's turn; the chat
template of the backbone wraps them, unless the layout is `plain`: then its lines are the prompt,
as released systems without a template have it. Fields of a line: `{voice}`, `{face}` and
`{words}` (all streams of that channel, in order), a stream's own name, `{text}` (the subtitle),
`{context}` (what was said before), `{clues}` (measured clues in words) and `{instruction}`. A line
all of whose fields are empty is left out.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.llm.released import emotion_llama_v1 as v1

FIELD = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Layout:
    """A prompt layout.

    `text_absent` stands for the subtitle where there is none. `label_answer` is the form of a
    label as the answer: with a leading space an emotion word is one token of most vocabularies.

    Of a plain layout `start_tokens` beginning-of-sequence tokens stand in front, and each run of
    text between streams is tokenized by itself. `turn` wraps a later question of the user.
    `answers` is how reference answers are rewritten before they are learned: "as written", or
    "minigpt" (lower case, no punctuation, at most 200 words). `instructions` are questions that
    released weights were trained on, by task; without them the pools of our own wording serve.
    """

    name: str
    system: str
    lines: tuple[str, ...]
    text_absent: str
    label_answer: str = " {label}"
    plain: bool = False
    start_tokens: int = 0
    turn: str = "{instruction}"
    answers: Literal["as written", "minigpt"] = "as written"
    instructions: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def fields(self) -> frozenset[str]:
        """Names of all its fields."""
        return frozenset(name for line in self.lines for name in FIELD.findall(line))

    def asking(self, corpus: str) -> Layout:
        """The layout with the question that a release asks on `corpus`; ours ask the same on all.

        `corpus` is a key of `v1.QUESTIONS`; the tag before the question stays.
        """
        own = self.instructions.get("emotion")
        if not own:
            return self
        tag = own[0].partition("]")[0] + "] "
        question = tag + v1.QUESTIONS[corpus]
        return replace(self, instructions={**self.instructions, "emotion": (question,)})

    def to_dict(self) -> dict[str, Any]:
        """Plain data for an artefact."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Layout:
        """The inverse of `to_dict`."""
        instructions = {k: tuple(v) for k, v in values.get("instructions", {}).items()}
        return cls(**{**values, "lines": tuple(values["lines"]), "instructions": instructions})


def _released(name: str, prompt: str, start_tokens: int, tags: dict[str, str]) -> Layout:
    """A layout of the released Emotion-LLaMA; the task's tag stands before its instruction."""
    return Layout(
        name=name,
        system="",
        lines=(prompt,),
        text_absent="",
        label_answer="{label}",
        plain=True,
        start_tokens=start_tokens,
        turn=v1.TURN,
        answers="minigpt",
        instructions={
            task: tuple(f"[{tags.get(task, task)}] {text}" for text in pool)
            for task, pool in v1.INSTRUCTIONS.items()
        },
    )


SYSTEM = "You read a person's emotion from voice, face and words."
EVIDENCE = (
    "Voice: {voice}\n",
    "Face: {face}\n",
    "Before: {context}\n",
    'Words: "{text}"\n',
    "Meaning: {words}\n",
    "Measured: {clues}\n",
)
"""The lines of our own layouts that hold a clip."""

LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        Layout(
            name="emollama-chat",
            system=SYSTEM,
            lines=(*EVIDENCE, "{instruction}"),
            text_absent="(not heard)",
        ),
        # For a model that is to answer by how people sound and look, whatever they say.
        Layout(
            name="emollama-no-words",
            system="You read a person's emotion from voice and face.",
            lines=("Voice: {voice}\n", "Face: {face}\n", "Measured: {clues}\n", "{instruction}"),
            text_absent="",
        ),
        # LLaMA-2's own form, for folders whose tokenizer has no chat template.
        Layout(
            name="llama2-inst",
            system="",
            lines=(f"[INST] <<SYS>>\n{SYSTEM}\n<</SYS>>\n\n", *EVIDENCE, "{instruction} [/INST]"),
            text_absent="(not heard)",
            label_answer="{label}",
            plain=True,
            start_tokens=1,
            turn="[INST] {instruction} [/INST]",
        ),
        _released("emotion-llama-v1", v1.PROMPT, 1, {"reason": "reason"}),
        _released("emotion-llama-v1-stage2", v1.PROMPT, 1, {"reason": "reason_v2"}),
        _released(
            "emotion-llama-v1-upstream-eval", v1.UPSTREAM_EVAL_PROMPT, 2, {"reason": "reason"}
        ),
    )
}


def get_layout(name: str) -> Layout:
    """The layout called `name`; an unknown name is an `EmollamaError`."""
    if name not in LAYOUTS:
        raise EmollamaError(f"layout '{name}' is unknown{did_you_mean(name, LAYOUTS)}")
    return LAYOUTS[name]
