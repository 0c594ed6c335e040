"""The clip with its transcript as subtitles."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path
from urllib.parse import quote

from emollama.session import ClipView

_LONGEST_CUE = 80
"""Characters of one subtitle."""


def player(look: ClipView, path: Path) -> str:
    """A player for the file, served by the page's own server."""
    source = "gradio_api/file=" + quote(str(path))
    subtitles = ""
    if look.text:
        coded = base64.b64encode(web_vtt(look).encode()).decode("ascii")
        subtitles = (
            '<track default kind="subtitles" label="Transcript" srclang="en" '
            f'src="data:text/vtt;base64,{coded}">'
        )
    return (
        f'<video controls playsinline preload="metadata" aria-label="The clip" '
        f'src="{escape(source)}">{subtitles}</video>'
    )


def web_vtt(look: ClipView) -> str:
    """The words as WebVTT: transcribed phrases at their times.

    Words given by the user have no times and are spread over the clip, or over the stretch of
    speech.
    """
    heard = look.observation.transcript or ()
    if look.text_source == "heard" and heard:
        cues = [(phrase.start, phrase.end, phrase.text) for phrase in heard]
    else:
        first = heard[0].start if heard else 0.0
        last = heard[-1].end if heard else look.duration
        cues = _spread(look.text or "", first, max(last, first + 0.5))
    lines = ["WEBVTT", ""]
    for start, end, text in cues:
        # Cue text is markup: an ampersand or a bracket would begin a tag, "-->" a time line.
        shown = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
        shown = shown.replace(">", "&gt;")
        if shown:
            lines += [f"{_stamp(start)} --> {_stamp(max(end, start + 0.2))}", shown, ""]
    return "\n".join(lines)


def _spread(text: str, start: float, end: float) -> list[tuple[float, float, str]]:
    pieces: list[str] = []
    for word in text.split():
        if pieces and len(pieces[-1]) + len(word) < _LONGEST_CUE:
            pieces[-1] += " " + word
        else:
            pieces.append(word)
    whole = sum(map(len, pieces)) or 1
    cues, done = [], 0
    for piece in pieces:
        begun, done = done, done + len(piece)
        span = end - start
        cues.append((start + span * begun / whole, start + span * done / whole, piece))
    return cues


def _stamp(seconds: float) -> str:
    whole = round(seconds * 1000)
    minutes, rest = divmod(whole, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
