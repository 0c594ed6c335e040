"""One self-contained HTML page per clip: embedded pictures, no scripts."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

from emollama.base.files import write_text
from emollama.explain.case import Case
from emollama.explain.deletion import Verdict
from emollama.explain.sentence import plain_sentence
from emollama.runs.shapley import Attribution
from emollama.session.answer import REASON_FROM

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1c1c1c; max-width: 62rem; margin: 2rem auto;
       padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; } th, td { padding: .2rem .8rem; text-align: right;
        border-bottom: 1px solid #ddd; } th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; height: auto; } .note { color: #666; } blockquote { margin-left: 0;
      padding-left: 1rem; border-left: 3px solid #0072b2; white-space: pre-wrap; }
"""


def write_page(
    case: Case, path: Path, pictures: Sequence[tuple[str, Path]], over: Sequence[Verdict] = ()
) -> None:
    """Write a clip's page.

    Args:
        case: the clip.
        path: of the page.
        pictures: heading and file of each picture.
        over: results of deletion over the whole split; () for a single clip.
    """
    write_text(path, page(case, [(title, file.read_bytes()) for title, file in pictures], over))


def page(case: Case, pictures: Sequence[tuple[str, bytes]], over: Sequence[Verdict] = ()) -> str:
    """The page as text; pictures are PNG files."""
    parts = [f"<h1>{escape(case.id)}</h1>", f"<p>{escape(plain_sentence(case))}</p>"]
    if case.true is not None:
        parts.append(f"<p>True: <b>{escape(case.true)}</b>.</p>")
    if case.truth:
        shown = ", ".join(f"{c} {label}" for c, label in case.truth.items())
        parts.append(f"<p>What each channel shows: {escape(shown)}.</p>")
    if case.text:
        parts.append(f"<h2>Words</h2><blockquote>{escape(case.text)}</blockquote>")
    if case.reason is not None:
        whose = REASON_FROM[case.reason_from] if case.reason_from else ""
        parts.append(
            f"<h2>Reason</h2><blockquote>{escape(case.reason)}</blockquote>"
            f'<p class="note">{escape(whose)}</p>'
        )
    for title, data in pictures:
        coded = base64.b64encode(data).decode("ascii")
        parts.append(
            f'<h2>{escape(title)}</h2><img alt="{escape(title)}" '
            f'src="data:image/png;base64,{coded}">'
        )
    for found in (case.answered, case.of_true):
        if found is not None:
            parts.append(_attribution(found, case))
    parts += [_within_noise(case), _deletions(case)]
    if over:
        lines = "".join(f"<li>{escape(v.line())}</li>" for v in over)
        parts.append(f"<h2>Over all clips of this run</h2><ul>{lines}</ul>")
    parts += [f'<p class="note">{escape(note)}</p>' for note in case.notes]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(case.id)}</title><style>{STYLE}</style></head>\n<body>"
        + "\n".join(parts)
        + "</body></html>\n"
    )


def _attribution(found: Attribution, case: Case) -> str:
    of = {n: n if n == channel else f"{n} ({channel})" for n, channel in case.channels.items()}
    rows = "".join(
        f"<tr><td>{escape(of[name])}</td><td>{value:+.4f}</td>"
        f"<td>{found.log_odds[name]:+.3f}</td></tr>"
        for name, value in found.probability.items()
    )
    return (
        f"<h2>Shapley values of {escape(found.label)}</h2><table><tr>"
        f"<th>{'channel' if case.parts == 'channels' else 'modality'}</th>"
        f"<th>probability</th><th>log-odds</th></tr>{rows}</table>"
        f"<p>With nothing present {found.empty:.4f}, with all {found.full:.4f}; the values add up "
        "to the difference.</p>"
    )


def _within_noise(case: Case) -> str:
    """What the grey band of the curves is, and which of them stay within it."""
    if not case.curves:
        return ""
    within = [c.lane.name for c in case.curves if c.drop.max() <= case.noise(c)]
    told = (
        f" Nothing in {', '.join(within)} costs more: there the curve tells no moment."
        if within else ""
    )  # fmt: skip
    return (
        "<p>The grey band around 0 in a curve is noise: what hiding a tenth of the steps at random "
        f"costs at most.{escape(told)}</p>"
    )


def _deletions(case: Case) -> str:
    if not case.areas:
        return ""
    rows = "".join(
        f"<tr><td>{escape(lane)}</td><td>{area:.4f}</td><td>{random:.4f}</td>"
        f"<td>{area - random:+.4f}</td></tr>"
        for lane, (area, random) in case.areas.items()
    )
    return (
        "<h2>Deletion</h2><table><tr><th>what is hidden</th><th>area</th><th>random order</th>"
        f"<th>difference</th></tr>{rows}</table><p>The area under the answered label's "
        "score when the most important parts are hidden first; a difference below 0 means that the "
        "explanation is better than a random order. One clip is no evidence.</p>"
    )
