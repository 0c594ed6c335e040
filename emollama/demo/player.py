"""The clip with its transcript as subtitles."""

from __future__ import annotations

import base64
from html import escape
from urllib.parse import quote

from emollama.demo.source import Source
from emollama.media.suffixes import PICTURE
from emollama.session import ClipView

_LONGEST_CUE = 80
"""Characters of one subtitle."""


def player(source: Source, look: ClipView | None = None) -> str:
    """A player for the file, or for the part of it that is read, served by the page's own server.

    Args:
        source: what is played.
        look: the clip, once it has been read.
    """
    part = f" ({source.span_in_words})" if source.span_in_words else ""
    title = f'<p class="title">{escape(source.name + part)}</p>'
    address = "gradio_api/file=" + quote(str(source.path))
    if source.path.suffix.lower() in PICTURE | {".gif"}:
        return f'{title}<img alt="The picture" src="{escape(address)}">'
    if part:
        end = "" if source.end is None else f",{source.end:g}"
        address += f"#t={source.start or 0:g}{end}"
    subtitles = ""
    if look is not None and look.text:
        coded = base64.b64encode(web_vtt(look, source.start or 0.0).encode()).decode("ascii")
        subtitles = (
            '<track default kind="subtitles" label="Transcript" srclang="en" '
            f'src="data:text/vtt;base64,{coded}">'
        )
    return (
        f'{title}<video controls playsinline preload="metadata" aria-label="The clip" '
        f'data-start="{source.start or 0:g}" src="{escape(address)}">{subtitles}</video>'
    )


def web_vtt(look: ClipView, begin: float = 0.0) -> str:
    """The words as WebVTT: transcribed phrases at their times.

    Words given by the user have no times and are spread over the clip, or over the stretch of
    speech. `begin` is where in the file the clip begins, in seconds.
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
            lines += [
                f"{_stamp(begin + start)} --> {_stamp(begin + max(end, start + 0.2))}",
                shown,
                "",
            ]
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
