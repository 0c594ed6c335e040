"""Prompt layouts: where streams, words and instruction stand, as data.

One layout serves training, evaluation, chat and serving, so that a model is never asked in a form
it was not trained on. A layout is a system sentence and the lines of the user's turn; the chat
template of the backbone wraps them. Fields of a line: `{voice}`, `{face}` and `{words}` (all
streams of that channel, in order), a stream's own name, `{text}` (the subtitle), `{clues}`
(measured clues in words) and `{instruction}`. A line all of whose fields are empty is left out.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from emollama.errors import EmollamaError, did_you_mean

FIELD = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Layout:
    """A prompt layout.

    `text_absent` stands for the subtitle where there is none. `label_answer` is the form of a
    label as the answer: with a leading space an emotion word is one token of most vocabularies.
    """

    name: str
    system: str
    lines: tuple[str, ...]
    text_absent: str
    label_answer: str = " {label}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for an artefact."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Layout:
        """The inverse of `to_dict`."""
        return cls(**{**values, "lines": tuple(values["lines"])})


LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        Layout(
            name="emollama-chat",
            system="You read a person's emotion from voice, face and words.",
            lines=(
                "Voice: {voice}\n",
                "Face: {face}\n",
                'Words: "{text}"\n',
                "Meaning: {words}\n",
                "Measured: {clues}\n",
                "{instruction}",
            ),
            text_absent="(not heard)",
        ),
    )
}


def get_layout(name: str) -> Layout:
    """The layout called `name`; an unknown name is an `EmollamaError`."""
    if name not in LAYOUTS:
        raise EmollamaError(f"layout '{name}' is unknown{did_you_mean(name, LAYOUTS)}")
    return LAYOUTS[name]
