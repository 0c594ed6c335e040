"""The clues of an answer in a line, each leading to the moment where it is most marked."""

from __future__ import annotations

from html import escape

from emollama.demo.seeking import seek_button
from emollama.session import ClipView
from emollama.session.moments import moments


def clue_links(look: ClipView, seeks: bool) -> str:
    """The clues in a line; where `seeks`, those with a moment as buttons that go there."""
    parts = []
    for one in moments(look):
        if one.time is None:
            parts.append(f"<span>{escape(one.words)}</span>")  # of the whole clip
        else:
            told = f"{one.words}, most at {one.time:.1f} s"
            parts.append(seek_button(one.time, told) if seeks else f"<span>{escape(told)}</span>")
    if not parts:
        return ""
    than = (
        f" (the voice compared with {escape(look.compared_with)})" if "voice" in look.used else ""
    )
    return f'<p class="moments"><b>Clues</b>{than}: {(" " if seeks else "; ").join(parts)}</p>'
