"""How a recording is shown: the report of the analysis in a frame of its own, and answers."""

from __future__ import annotations

from html import escape
from pathlib import Path
from urllib.parse import quote

from emollama.demo.seeking import seek_button
from emollama.recording.export.report.page import page
from emollama.recording.export.report.thumbnails import thumbnails
from emollama.recording.export.report.words import percent
from emollama.recording.parts import Analysis, clock
from emollama.recording.result.when import Found
from emollama.serving.jobs import Job, Progress

STYLE = """
.recording iframe { width: 100%; height: min(85vh, 70rem); border: 0; }
.found { list-style: none; padding: 0 !important; margin: .3rem 0; max-height: 16rem;
  overflow-y: auto; }
.found li { margin: 0 0 .25rem; overflow-wrap: anywhere; }
#recording-saved { display: none !important; }
"""

_STAGES = {
    "minutes read": "Looking and listening",
    "minutes of speech heard": "Writing down what is said",
    "minutes of segments looked at": "Looking at each segment",
    "minutes of segments answered": "Asking the model about each segment",
}
"""The stages of an analysis by what their progress counts, in their order."""


def framed(analysis: Analysis, media: Path, show_faces: bool) -> str:
    """The report in a frame, which keeps its style and its script apart from the page's."""
    address = "gradio_api/file=" + quote(str(media))
    inside = page(analysis, address, thumbnails(analysis, show_faces), show_faces)
    return f'<iframe title="The recording" srcdoc="{escape(inside)}"></iframe>'


def told_progress(job: Job, before: int, progress: Progress | None) -> str:
    """How far an analysis is, in a line.

    Args:
        job: the analysis.
        before: number of analyses that come before it.
        progress: None before it begins.
    """
    if job.state == "queued":
        others = f"{before} other recording{'s' if before > 1 else ''}"
        return f"{job.name}: waits for {others} …" if before else f"{job.name}: begins …"
    if progress is None:
        return f"{job.name}: the first half minute is looked at and heard …"
    stages = list(_STAGES)
    step = ""
    if progress.stage in stages:
        step = f"step {stages.index(progress.stage) + 1} of {len(stages)}, "
    done = f"{progress.done:g} of {progress.total:g} minutes"
    what = _STAGES.get(progress.stage, progress.stage)
    return f"{job.name}: {step}{what.lower()}: {done}, {progress.speed}"


def told_answer(found: Found) -> str:
    """The rule, and each segment with a button that goes there."""
    if not found.segments:
        return f'<p role="status">No segment fits. {escape(found.rule)}</p>'
    items = "".join(
        f"<li>{seek_button(s.start, f'{clock(s.start)}–{clock(s.end)}')} <b>{escape(s.person)}</b> "
        f"{escape(a.label)} {percent(a.scores[a.label])}"
        f"{f': {escape(s.text)}' if s.text else ''}</li>"
        for s, a in found.segments
        if a.label is not None
    )
    return (
        f'<p role="status">{len(found.segments)} '
        f"time{'s' if len(found.segments) > 1 else ''}. {escape(found.rule)}</p>"
        f'<ul class="found">{items}</ul>'
    )
