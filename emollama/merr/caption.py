"""Stage `caption`: the coarse description of a clip, composed from the rows of other stages."""

from __future__ import annotations

from emollama.merr.build import Build, Counts, Item
from emollama.merr.describe import TONE, VISUAL
from emollama.merr.emotion import EMOTION
from emollama.merr.fill import Plan, each, fill
from emollama.merr.measure.tools import TRANSCRIPT
from emollama.merr.stagefile import Row
from emollama.merr.tables import read_table

CAPTION = "caption"


def run_caption(build: Build) -> Counts:
    """A coarse caption and the list of its clues."""
    return fill(
        build,
        Plan(CAPTION, (EMOTION, VISUAL, TONE, TRANSCRIPT), 1, read_table("templates"),
             uses=(VISUAL, TONE, TRANSCRIPT)),
        each(lambda item: {"status": "ok", "clues": clues(item),
                           "text": " ".join(clues(item).values())}),
    )  # fmt: skip


def clues(item: Item) -> dict[str, str]:
    """Sentences by topic: picture, face, voice, words; unknown topics are left out."""
    templates = read_table("templates")
    visual, tone = item.rows[VISUAL], item.rows[TONE]
    said = item.rows[TRANSCRIPT]["text"]
    found = {
        "picture": visual["text"],
        "face": visual["clip"],
        "voice": tone["text"],
        "words": templates["said"].format(text=said) if said else templates["nothing_said"],
    }
    return {name: _sentence(text) for name, text in found.items() if text}


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if text.endswith((".", "!", "?", '"')) else text + "."


def clue_rows(row: Row) -> str:
    """A caption's clues as lines for a prompt."""
    return "\n".join(f"- {text}" for text in row["clues"].values())
