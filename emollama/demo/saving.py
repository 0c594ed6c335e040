"""A visit as JSON and as a case sheet, a self-contained HTML page."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from emollama.base.version import __version__
from emollama.demo.bars import answer_bars, carried
from emollama.demo.peak import peak_figure
from emollama.demo.style import SHEET
from emollama.demo.timeline import lanes
from emollama.demo.visit import Exchange, Visit
from emollama.runs.training_data import training_data
from emollama.session import Answer, Session
from emollama.session.answer import REASON_FROM
from emollama.session.questions import clue_lines
from emollama.session.record import record

INTENDED = (
    "For research and for trying out models. An expression is no proof of what "
    "somebody feels: do not use it to judge, rank, hire, grade, diagnose or monitor people."
)
NO_RECORDING = "The recording itself is not part of this file."


def whole_record(session: Session, visit: Visit, answer: Answer) -> dict[str, Any]:
    """A visit as plain data for JSON."""
    look, frames = visit.look, answer.frames
    more = {
        "emollama": __version__,
        "intended_use": INTENDED,
        "left_out": sorted(visit.left_out),
        "text": look.text,
        "frames": None if frames is None else {
            "times": [round(t, 3) for t in frames.times],
            "values": {
                name: [round(v, 4) if np.isfinite(v) else None for v in values]
                for name, values in frames.values.items()
            },
        },
        "exchanges": [one.to_dict() for one in visit.exchanges],
    }  # fmt: skip
    return record(session, visit.name, look, answer, visit.turns(), visit.weights) | more


def model_in_words(session: Session) -> str:
    """The kind of a model, what it goes by, and what it was trained on."""
    *most, last = session.channels
    channels = f"{', '.join(most)} and {last}" if most else last
    data = training_data(session.artefact.record)
    trained = f", trained on {data}" if data else ""
    return f"{session.artefact.title} that goes by the {channels}{trained}."


def case_sheet(session: Session, visit: Visit, answer: Answer) -> str:
    """The visit as an HTML page without scripts, with embedded pictures."""
    look, span = visit.look, visit.source.span_in_words
    part = f" ({span} of the file)" if span else ""
    parts = [
        f"<h1>{escape(visit.name)}</h1>",
        f"<p>{look.duration:.1f} s{part}, read by emollama {escape(__version__)} with "
        f"{model_in_words(session)}</p>",
        f'<p class="small">{escape(INTENDED)} {NO_RECORDING}</p>',
        f"<h2>Answer</h2>{answer_bars(answer)}",
    ]
    if visit.weights is not None:
        parts.append(f"<h2>Share of each channel</h2>{carried(visit.weights)}")
    parts.append(f"<h2>Peak frame</h2>{peak_figure(look, seeks=False)}")
    if look.text:
        source = "transcribed by Whisper" if look.text_source == "heard" else "given"
        said = f"<blockquote>{escape(look.text)}</blockquote>"
        parts.append(f"<h2>Words ({source})</h2>{said}")
    parts.append(f"<h2>Over time</h2>{lanes(look, answer.frames, seeks=False)}")
    parts.append(notes(visit))
    if visit.exchanges:
        parts.append("<h2>Conversation</h2>" + "".join(map(_exchange, visit.exchanges)))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(visit.name)}</title><style>{SHEET}</style></head>\n"
        f'<body class="sheet">{"".join(parts)}</body></html>\n'
    )


def notes(visit: Visit) -> str:
    """Remarks for the reader of the answer: measured clues, and notes."""
    look = visit.look
    lines = clue_lines(look)
    lines += [f"left out: {c}" for c in sorted(visit.left_out & set(visit.whole.present))]
    lines += look.notes
    if not lines:
        return ""
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def how(one: Exchange) -> str:
    """How an answer was made, in one line."""
    told = [f"from {', '.join(one.channels)}"]
    if one.reason_from is not None:
        told.insert(0, REASON_FROM[one.reason_from])
    if one.finish is not None:
        told.append(f"{one.prompt_tokens} prompt tokens, {one.cached_tokens} of them cached")
        told.append(f"{one.new_tokens} tokens written in {one.seconds:.1f} s")
        ends = {"length": "cut at the maximum length", "stopped": "stopped"}
        told += [ends[one.finish]] if one.finish in ends else []
    return "; ".join(told)


def _exchange(one: Exchange) -> str:
    said = f"<p><b>{escape(one.question)}</b></p><blockquote>{escape(one.answer)}</blockquote>"
    if one.from_data:
        return said
    return (
        f"{said}"
        f"<details><summary>How this was made</summary><p>{escape(how(one))}</p>"
        f"<pre>{escape(one.prompt)}</pre></details>"
    )
