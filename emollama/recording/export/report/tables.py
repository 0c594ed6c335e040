"""Time by person and label, the marks, and the transcript."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from html import escape

from emollama.manifest.channels import CHANNELS
from emollama.recording.export.marks import RULES, Kind, Mark
from emollama.recording.export.report.words import percent
from emollama.recording.export.tables import likeliest
from emollama.recording.parts import Analysis, Segment, SegmentAnswer, clock
from emollama.session.answer import REASON_FROM


def time_table(analysis: Analysis) -> str:
    """Minutes of segments by person and label, with totals; and minutes in which they speak."""
    spent: dict[tuple[str, str], float] = defaultdict(float)
    for segment, answer in zip(analysis.segments, analysis.answers, strict=True):
        spent[segment.person, answer.label or ""] += segment.end - segment.start
    speaks: dict[str, float] = defaultdict(float)
    for turn in analysis.turns:
        speaks[turn.speaker] += turn.end - turn.start
    labels = [*analysis.labels, *([""] if any(label == "" for _, label in spent) else [])]
    head = "".join(f'<th scope="col">{escape(label or "no answer")}</th>' for label in labels)
    names = [person.name for person in analysis.people]
    rows = "".join(_row(name, [spent[name, x] for x in labels], speaks[name]) for name in names)
    sums = [sum(spent[name, label] for name in names) for label in labels]
    return (
        '<div class="scroll"><table><thead><tr><th scope="col">person</th>'
        f'{head}<th scope="col">all labels</th><th scope="col">speaks</th></tr></thead><tbody>'
        f"{rows}</tbody><tfoot>{_row('all', sums, sum(speaks.values()))}</tfoot></table></div>"
    )


def _row(name: str, times: Sequence[float], speaks: float) -> str:
    total = sum(times)
    cells = "".join(
        f"<td>{clock(t)}<small>{percent(t / total)}</small></td>" if t else "<td>–</td>"
        for t in times
    )
    return (
        f'<tr><th scope="row">{escape(name)}</th>{cells}<td>{clock(total)}</td>'
        f"<td>{clock(speaks)}</td></tr>"
    )


def marks_list(marks: Sequence[Mark]) -> str:
    """The marks with their rules; each begins with a button that goes there."""
    parts = []
    shapes: tuple[tuple[Kind, str, str], ...] = (
        ("change", "Changes", "◆"), ("conflict", "Conflicts", "✕"),
    )  # fmt: skip
    for kind, title, sign in shapes:
        own = [mark for mark in marks if mark.kind == kind]
        items = "".join(
            f"<li>{_button(mark.segment)} <b>{escape(mark.segment.person)}</b> "
            f"{escape(mark.words)}</li>"
            for mark in own
        )
        shown = f'<ol class="marked">{items}</ol>' if own else "<p>None.</p>"
        parts.append(
            f'<section><h3><span class="{kind}">{sign}</span> {title} ({len(own)})</h3>'
            f'<p class="small">The rule: {escape(RULES[kind])}.</p>{shown}</section>'
        )
    return f'<div class="pair">{"".join(parts)}</div>'


def transcript(analysis: Analysis, places: Mapping[str, int]) -> str:
    """All segments in order of time: who, label, words, reason and remarks.

    Those in which their person only listens are shown where the box is ticked, or nobody speaks.
    `places` are numbers of the labels' colours in the style sheet.
    """
    items = "".join(
        _segment(segment, answer, places)
        for segment, answer in zip(analysis.segments, analysis.answers, strict=True)
    )
    ticked = "" if any(segment.spoken for segment in analysis.segments) else " checked"
    return (
        f'<p><label><input type="checkbox" id="listeners"{ticked}> also who listens</label></p>'
        f'<ol id="transcript" tabindex="0" aria-label="Transcript">{items}</ol>'
    )


def _segment(segment: Segment, answer: SegmentAnswer, places: Mapping[str, int]) -> str:
    if answer.label is None:
        label = '<span class="label">no answer</span>'
    else:
        label = (
            f'<span class="label"><i class="k{places[answer.label]}"></i>{escape(answer.label)} '
            f"{percent(answer.scores[answer.label])}</span>"
        )
    more = []
    others = [label for label in answer.label_set or () if label != answer.label]
    if others:
        more.append(f"or {', '.join(others)}")
    if answer.without_norm and likeliest(answer.without_norm) != answer.label:
        more.append(f"without the person's norm: {_best(answer.without_norm)}")
    alone = [f"{c} {_best(answer.by_channel[c])}" for c in CHANNELS if answer.by_channel.get(c)]
    if alone[1:]:
        more.append(f"alone: {', '.join(alone)}")
    more += answer.notes
    if answer.error:
        more.append(answer.error)
    said = (
        escape(segment.text)
        if segment.text
        else f"<em>{'speaks' if segment.spoken else 'listens'}</em>"
    )
    small = f'<p class="small">{escape("; ".join(more))}</p>' if more else ""
    whose = f" ({REASON_FROM[answer.reason_from]})" if answer.reason_from else ""
    why = f"<p>{escape(answer.reason + whose)}</p>" if answer.reason else ""
    reason = f"<details><summary>reason</summary>{why}</details>" if why else ""
    listens = "" if segment.spoken else ' class="listens"'
    return (
        f'<li{listens} data-start="{segment.start:.2f}" data-end="{segment.end:.2f}">'
        f'{_button(segment)} <b>{escape(segment.person)}</b> {label} <span class="said">{said}'
        f"</span>{small}{reason}</li>"
    )


def _best(scores: Mapping[str, float]) -> str:
    label = likeliest(dict(scores))
    return f"{label} {percent(scores[label or ''])}"


def _button(segment: Segment) -> str:
    return f'<button type="button" data-seek="{segment.start:.2f}">{clock(segment.start)}</button>'
