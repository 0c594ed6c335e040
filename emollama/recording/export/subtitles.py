"""Subtitles with speaker and emotion: WebVTT and SubRip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

from emollama.base.files import write_text
from emollama.recording.export.tiers import clean
from emollama.recording.parts import Analysis, Segment

LONGEST_CUE = 84
"""Characters of a cue, two lines of 42; longer segments are several cues, cut between words."""


@dataclass(frozen=True)
class Cue:
    """A subtitle: seconds, who speaks, which emotion (None if unknown), and the words."""

    start: float
    end: float
    person: str
    label: str | None
    words: str


def write_vtt(analysis: Analysis, path: Path) -> None:
    """WebVTT: `<v A>(angry) words`, where A is the voice that players show or style."""
    blocks = ["WEBVTT\n"]
    for cue in cues(analysis):
        label = "" if cue.label is None else f"({escape(cue.label, quote=False)}) "
        said = f"{label}{escape(cue.words, quote=False)}".strip()
        blocks.append(f"{_times(cue, '.')}\n<v {escape(cue.person, quote=False)}>{said}\n")
    write_text(path, "\n".join(blocks))


def write_srt(analysis: Analysis, path: Path) -> None:
    """SubRip: "A (angry): words".

    Players take what stands in angle brackets for mark-up and know no escape, so that angle
    brackets in words become single quotation marks of that shape.
    """
    blocks = []
    for number, cue in enumerate(cues(analysis), start=1):
        label = "" if cue.label is None else f" ({cue.label})"
        said = f"{cue.person}{label}: {cue.words}".strip()
        said = said.replace("<", "‹").replace(">", "›")
        blocks.append(f"{number}\n{_times(cue, ',')}\n{said}\n")
    write_text(path, "\n".join(blocks))


def cues(analysis: Analysis) -> list[Cue]:
    """Cues of all segments in which their person speaks, sorted by start."""
    found = [
        cue
        for segment, answer in zip(analysis.segments, analysis.answers, strict=True)
        if segment.spoken > 0
        for cue in _cut(segment, answer.label)
    ]
    return sorted(found, key=lambda cue: (cue.start, cue.person))


def _cut(segment: Segment, label: str | None) -> Iterator[Cue]:
    name, label = clean(segment.person), None if label is None else clean(label)
    start, line = segment.start, ""
    for word in segment.words:
        text = clean(word.text)
        if line and len(line) + 1 + len(text) > LONGEST_CUE and word.start > start:
            end = min(word.start, segment.end)
            yield Cue(start, end, name, label, line)
            start, line = end, ""
        line = f"{line} {text}".strip()
    if line or label is not None:
        yield Cue(start, max(segment.end, start), name, label, line)


def _times(cue: Cue, mark: str) -> str:
    return f"{_clock(cue.start, mark)} --> {_clock(cue.end, mark)}"


def _clock(time: float, mark: str) -> str:
    seconds, thousandths = divmod(round(time * 1000), 1000)
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds % 60:02d}{mark}{thousandths:03d}"
