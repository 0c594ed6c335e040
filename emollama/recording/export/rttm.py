"""Turns as RTTM, which diarisation tools read (NIST, Rich Transcription 2009 evaluation plan)."""

from __future__ import annotations

from pathlib import Path

from emollama.base.files import write_text
from emollama.recording.export.tiers import clean
from emollama.recording.parts import Analysis


def write_rttm(analysis: Analysis, path: Path) -> None:
    """A line for each turn: SPEAKER, file, channel 1, start, duration, speaker, in ten fields.

    The file is the recording's name without its suffix; blanks in it become underscores, since
    fields are separated by blanks, and in names of speakers.
    """
    name = clean(analysis.recording.stem).replace(" ", "_") or "recording"
    lines = (
        f"SPEAKER {name} 1 {turn.start:.3f} {turn.end - turn.start:.3f} <NA> <NA> "
        f"{clean(turn.speaker).replace(' ', '_')} <NA> <NA>\n"
        for turn in analysis.turns
        if round(turn.end - turn.start, 3) > 0
    )
    write_text(path, "".join(lines))
