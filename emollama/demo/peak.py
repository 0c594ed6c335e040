"""The frame with the strongest expression, with the face's box."""

from __future__ import annotations

import base64
import io
from html import escape

from PIL import Image, ImageDraw

from emollama.demo.seeking import seek_button
from emollama.session import ClipView, Peak

_BOX = "#E69F00"


def peak_figure(look: ClipView, seeks: bool = True) -> str:
    """The frame with its expression in words; a note if no face was found.

    `seeks`: whether there is a player beside it, which can go there.
    """
    peak = look.observation.peak
    if peak is None:
        return '<p class="small">No face was found, so there is no frame to show.</p>'
    told = peak_words(look, peak)
    button = seek_button(peak.time, "Go there") if seeks else ""
    source = base64.b64encode(boxed(peak)).decode("ascii")
    return (
        f'<figure><img alt="{escape(told)}" src="data:image/jpeg;base64,{source}">'
        f"<figcaption>{escape(told)} {button}</figcaption></figure>"
    )


def peak_words(look: ClipView, peak: Peak) -> str:
    """The peak frame in one line: time, expression and number of faces."""
    looks = next(
        (
            t.words
            for t in look.observation.measurements
            if t.channel == "face" and t.start <= peak.time <= t.end
        ),
        "a face",
    )
    ranked = sorted(peak.expression.items(), key=lambda item: -item[1])[:2]
    numbers = ", ".join(f"{name} {100 * p:.0f} %" for name, p in ranked)
    more = f"; {peak.faces} faces; the framed one is analysed" if peak.faces > 1 else ""
    return f"{peak.time:.1f} s: {looks} ({numbers}){more}"


def boxed(peak: Peak) -> bytes:
    """The frame as a JPEG file, the face framed."""
    picture = Image.fromarray(peak.image)
    width = max(2, round(min(picture.size) / 120))
    right, bottom = picture.width - 1, picture.height - 1
    left, top, to_right, to_bottom = peak.box
    box = (
        min(max(left, 0), right), min(max(top, 0), bottom),
        min(max(to_right, 0), right), min(max(to_bottom, 0), bottom),
    )  # fmt: skip
    if box[2] > box[0] and box[3] > box[1]:
        ImageDraw.Draw(picture).rectangle(box, outline=_BOX, width=width)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=88)
    return out.getvalue()
