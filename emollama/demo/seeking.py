"""Times on the page that the players go to, and the playhead that follows them.

An element with `data-seek` lets the clip's player, or the report of the recording in whose area it
stands (`.recording`), go there when it is clicked; a click on a clip's lane goes to its place.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

HEAD = f"<script>{Path(__file__).with_name('seeking.js').read_text(encoding='utf-8')}</script>"
"""For the page's head."""

STYLE = """
.lanes { position: relative; }
.lanes.seek svg { cursor: pointer; }
.playhead { position: absolute; top: 0; bottom: 0; left: calc(100% * var(--at, 0)); width: 2px;
  margin-left: -1px; background: #D55E00; pointer-events: none; z-index: 2; }
.lanes p { position: relative; z-index: 3; }
.moments { display: flex; flex-wrap: wrap; gap: .3rem .5rem; align-items: baseline;
  margin: .2rem 0 .5rem; }
button[data-seek] { font: inherit; color: inherit; cursor: pointer; padding: 0 .45rem;
  min-height: 1.7rem; border: 1px solid rgba(128, 128, 128, .6); border-radius: 4px;
  background: rgba(128, 128, 128, .12); text-align: left; }
.moments span { padding: 0 .45rem; border: 1px dashed rgba(128, 128, 128, .6);
  border-radius: 4px; }
button[data-seek]:hover { border-color: currentColor; }
button[data-seek]:focus-visible { outline: 2px solid #0072B2; outline-offset: 1px; }
"""


def seek_button(time: float, told: str) -> str:
    """A button that lets the player go to `time` seconds."""
    return f'<button type="button" data-seek="{time:.2f}">{escape(told)}</button>'
