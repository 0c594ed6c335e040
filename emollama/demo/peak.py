"""The frame with the strongest expression, with the face's box."""

from __future__ import annotations

import base64
import io
from html import escape

from PIL import Image, ImageDraw, ImageFont

from emollama.demo.seeking import seek_button
from emollama.session import ClipView, Peak

_BOX, _OTHER = "#E69F00", "#FFFFFF"


def peak_figure(look: ClipView, seeks: bool = True) -> str:
    """The frame with its expression in words; a note if no face was found.

    `seeks`: whether there is a player beside it, which can go there.
    """
    peak = look.observation.peak
    if peak is None:
        why = look.observation.absent.get("face", "no face was found")
        return f'<p class="small">No frame to show: {escape(why)}.</p>'
    told = peak_words(look, peak)
    still = look.observation.timeline.still
    button = seek_button(peak.time, "Go there") if seeks and not still else ""
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
    more = ""
    if peak.faces > 1:
        which = f", number {peak.boxes.index(peak.box) + 1} from the left," if peak.others else ""
        more = f"; {peak.faces} faces; the framed one{which} is analysed"
    at = "" if look.observation.timeline.still else f"{peak.time:.1f} s: "
    return f"{at}{looks} ({numbers}){more}"


def boxed(peak: Peak) -> bytes:
    """The frame as a JPEG file, the face framed; of several, each with its number."""
    picture = Image.fromarray(peak.image)
    width = max(2, round(min(picture.size) / 120))
    pen = ImageDraw.Draw(picture)
    for number, face in enumerate(peak.boxes, start=1):
        box = _inside(face, picture)
        if box[2] <= box[0] or box[3] <= box[1]:
            continue
        colour = _BOX if face == peak.box else _OTHER
        pen.rectangle(box, outline=colour, width=width)
        if peak.others:
            pen.text((box[0] + 2 * width, box[1] + width), str(number), colour,
                     ImageFont.load_default(max(10, 8 * width)), stroke_width=1,
                     stroke_fill="black")  # fmt: skip
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=88)
    return out.getvalue()


def _inside(box: tuple[float, ...], picture: Image.Image) -> tuple[float, float, float, float]:
    right, bottom = picture.width - 1, picture.height - 1
    left, top, to_right, to_bottom = box
    return (
        min(max(left, 0), right), min(max(top, 0), bottom),
        min(max(to_right, 0), right), min(max(to_bottom, 0), bottom),
    )  # fmt: skip
