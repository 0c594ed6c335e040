"""The page: one file that fetches nothing but the recording, which it names by its relative path.

Its Content-Security-Policy allows this page's own script and style, by their hashes, and nothing
else. Text of the recording (words, names, labels) is escaped wherever it stands; no script holds
any. Without `show_faces` the page plays the sound alone, and the pixels of thumbnails are blurred.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from pathlib import Path

from emollama.base.colours import EXPRESSION_COLOURS
from emollama.base.files import write_text
from emollama.encoders.expression import CLASSES
from emollama.recording.export.elan import media_address
from emollama.recording.export.marks import find_marks
from emollama.recording.export.report.colours import label_colours
from emollama.recording.export.report.lanes import VALUE_COLOURS, VOICE_COLOURS, axis, lane
from emollama.recording.export.report.tables import marks_list, time_table, transcript
from emollama.recording.export.report.thumbnails import thumbnails
from emollama.recording.notice import NOTICE
from emollama.recording.parts import Analysis, clock

_HERE = Path(__file__).parent


def write_report(analysis: Analysis, path: Path, show_faces: bool = False) -> None:
    """Write the page; see `page`."""
    faces = thumbnails(analysis, show_faces)
    write_text(path, page(analysis, media_address(analysis.recording, path), faces, show_faces))


def page(
    analysis: Analysis, media: str, faces: Mapping[str, bytes], show_faces: bool = False
) -> str:
    """The page as text.

    Args:
        analysis: of one recording.
        media: the recording's address, relative to the page.
        faces: PNG files by person, already blurred where faces are not to be shown.
        show_faces: whether the player shows the picture.
    """
    colours = label_colours(analysis.labels)
    places = {label: i for i, label in enumerate(colours)}
    marks = find_marks(analysis)
    style = _style(colours)
    script = (_HERE / "report.js").read_text(encoding="utf-8")
    policy = (
        "default-src 'none'; img-src data:; media-src 'self' file:; base-uri 'none'; "
        f"form-action 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    )
    name = analysis.recording.name
    lanes = "".join(
        _person(person.name, faces, show_faces) + lane(person.name, analysis, colours, marks)
        for person in analysis.people
    )
    body = f"""
<header><h1>{escape(name)}</h1>
<p>{escape(_about(analysis))}</p>
<p class="notice" role="note">{escape(NOTICE)}</p>
{_notes(analysis)}</header>
<main>
{_player(media, show_faces, analysis)}
<section aria-label="Timeline"><h2>Who shows what, and when</h2>
{_legend(analysis, places)}
<div id="lanes"><div id="wide"><div id="playhead"></div>{lanes}{axis(analysis)}
</div></div></section>
<section><h2>Where to look</h2>{marks_list(marks)}</section>
<section><h2>Time by person and label</h2>
<p class="small">Minutes of segments with this label; "speaks": minutes of turns. Where people speak
at once, each is counted.</p>{time_table(analysis)}</section>
<section><h2>Transcript</h2>{transcript(analysis, places)}</section>
</main>"""
    text = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(name)}</title><style>{style}</style></head>\n"
        f'<body data-length="{analysis.duration:.3f}">{body}\n<script>{script}</script></body>'
        "</html>\n"
    )
    # A file's name need not be Unicode.
    return text.encode("utf-8", "replace").decode("utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _style(colours: Mapping[str, str]) -> str:
    """The style sheet, with the colours of labels, expressions and lines as classes."""
    keys = {f"k{i}": colour for i, colour in enumerate(colours.values())}
    keys |= {f"e{i}": EXPRESSION_COLOURS[name] for i, name in enumerate(CLASSES)}
    keys |= {f"v{i}": colour for i, colour in enumerate(VALUE_COLOURS)}
    keys |= VOICE_COLOURS
    sheet = (_HERE / "report.css").read_text(encoding="utf-8")
    return sheet + "".join(f"i.{name} {{ background: {c}; }}\n" for name, c in keys.items())


def _about(analysis: Analysis) -> str:
    people = len(analysis.people)
    told = [
        clock(analysis.duration),
        "1 person" if people == 1 else f"{people} people",
        f"{len(analysis.segments)} segments",
        f"model {analysis.model}",
    ]
    if analysis.language is not None:
        told.append(f"words in {analysis.language}")
    if analysis.coverage is not None:
        told.append(f"label sets at {100 * analysis.coverage:g} % coverage")
    return ", ".join(told)


def _notes(analysis: Analysis) -> str:
    items = "".join(f"<li>{escape(note)}</li>" for note in analysis.notes)
    return f'<ul class="notes">{items}</ul>' if items else ""


def _player(media: str, show_faces: bool, analysis: Analysis) -> str:
    picture = show_faces and analysis.size is not None
    kind = "video" if picture else "audio"
    hidden = (
        '<p class="small">The sound is played alone, and faces are blurred. '
        "<code>--show-faces</code>, or its box on the page of <code>emollama demo</code>, shows "
        "the picture.</p>"
        if analysis.size is not None and not picture
        else ""
    )
    speeds = "".join(
        f'<option value="{s}"{" selected" if s == "1" else ""}>{s}×</option>'
        for s in ("0.5", "1", "1.5", "2")
    )
    zooms = "".join(f'<option value="{z}">{z}×</option>' for z in (1, 2, 5, 10, 20))
    return f"""<section id="player" aria-label="Player">
<{kind} id="media" preload="metadata" src="{escape(media)}"></{kind}>
<div class="controls"><button type="button" id="play">Play</button>
<button type="button" id="before" title="Key p">Mark before</button>
<button type="button" id="next" title="Key n">Next mark</button>
<output id="clock">0:00</output>
<input id="place" type="range" min="0" max="{analysis.duration:.3f}" step="0.1" value="0"
 aria-label="Time in the recording">
<label>speed <select id="speed">{speeds}</select></label>
<label>zoom <select id="zoom">{zooms}</select></label></div>
<p id="silent" class="small" hidden>The recording cannot be played here; times can still be
followed. The page looks for it at <code>{escape(media)}</code>.</p>
</section>
{hidden}<p class="small">Keys: space plays and pauses, left and right go 5 s, n and p go to the next
mark and the one before. Clicks on a lane or a time go there.</p>"""


def _legend(analysis: Analysis, places: Mapping[str, int]) -> str:
    labels = "".join(f'<span><i class="k{i}"></i>{escape(x)}</span>' for x, i in places.items())
    rows = [f"<b>Label</b> {labels}<span>the stronger, the more probable</span>"]
    faces = "".join(f'<span><i class="e{i}"></i>{name}</span>' for i, name in enumerate(CLASSES))
    if any(person.tracks for person in analysis.people):
        rows.append(f"<b>Face</b> {faces}")
    names = dict.fromkeys(name for t in analysis.timelines.values() for name in t.values)
    lines = "".join(
        f'<span><i class="v{i % len(VALUE_COLOURS)}"></i>{escape(name)}</span>'
        for i, name in enumerate(names)
    )
    voice = "".join(f'<span><i class="{name}"></i>{name}</span>' for name in VOICE_COLOURS)
    rows.append(f"<b>Lines</b> {lines}{voice}")
    rows.append(
        '<b>Marks</b> <span><span class="change">◆</span> change</span>'
        '<span><span class="conflict">✕</span> conflict</span>'
        "<span>bar below the labels: speaks</span>"
    )
    return "".join(f'<p class="legend">{row}</p>' for row in rows)


def _person(name: str, faces: Mapping[str, bytes], show_faces: bool) -> str:
    picture = ""
    if name in faces:
        coded = base64.b64encode(faces[name]).decode("ascii")
        seen = "face" if show_faces else "face, blurred"
        picture = f'<img alt="{escape(name)}: {seen}" src="data:image/png;base64,{coded}">'
    return f'<h3 class="person">{picture}<span>{escape(name)}</span></h3>'
