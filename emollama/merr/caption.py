"""Stage `caption`: the coarse description of a clip, composed from the rows of other stages."""

from __future__ import annotations

from emollama.merr.build import Build, Counts, Item
from emollama.merr.describe import MEASURED, TONE, VISUAL
from emollama.merr.emotion import EMOTION
from emollama.merr.fill import Plan, each, fill
from emollama.merr.measure.tools import CLIPS, TRANSCRIPT
from emollama.merr.norms import CORPUS
from emollama.merr.peak import PEAK
from emollama.merr.reason_words import varied_caption
from emollama.merr.stagefile import Row
from emollama.merr.tables import read_table

CAPTION = "caption"


def run_caption(build: Build) -> Counts:
    """A coarse caption and the list of its clues."""
    tables = [read_table("templates"), read_table("reasons"), read_table("phrases")]
    reads = (CLIPS, EMOTION, PEAK, VISUAL, TONE, TRANSCRIPT)
    return fill(
        build,
        Plan(CAPTION, reads, 2, tables),
        each(lambda item: {"status": "ok", "clues": clues(item), "text": _text(item)}),
    )


def _text(item: Item) -> str:
    """A sentence of what was measured, or the sentences of the models that described the clip."""
    rows = item.rows
    if {rows[VISUAL]["source"], rows[TONE]["source"]} != {MEASURED}:
        return " ".join(clues(item).values())
    return varied_caption(
        item.id, rows[CLIPS]["seconds"], rows[EMOTION], rows[PEAK], rows[TONE],
        rows[TRANSCRIPT]["text"], rows[TONE].get("compared_with", CORPUS),
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
