"""All files of an analysis that people and other programs open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.recording.export.elan import write_eaf
from emollama.recording.export.praat import write_textgrid
from emollama.recording.export.report.page import write_report
from emollama.recording.export.rttm import write_rttm
from emollama.recording.export.subtitles import write_srt, write_vtt
from emollama.recording.export.tables import write_segments, write_timeline
from emollama.recording.parts import Analysis

_PLAIN: dict[str, tuple[tuple[str, Callable[[Analysis, Path], None]], ...]] = {
    "csv": (("segments.csv", write_segments), ("timeline.csv", write_timeline)),
    "rttm": (("recording.rttm", write_rttm),),
    "vtt": (("recording.vtt", write_vtt),),
    "srt": (("recording.srt", write_srt),),
    "eaf": (("recording.eaf", write_eaf),),
    "textgrid": (("recording.TextGrid", write_textgrid),),
}

FORMATS = (*_PLAIN, "html")
"""What `write_all` can write; "csv" is two tables, "html" the report."""


def write_all(
    analysis: Analysis, out: Path, formats: Sequence[str] = FORMATS, show_faces: bool = False
) -> list[Path]:
    """Write the files of an analysis, each of them atomically.

    Args:
        analysis: of one recording.
        out: folder, created if missing.
        formats: of `FORMATS`.
        show_faces: whether the report shows the picture and faces that can be recognised.

    Returns:
        The files, in the order in which they were written.

    Raises:
        EmollamaError: an unknown format, or a file that cannot be written.
    """
    for name in formats:
        if name not in FORMATS:
            raise EmollamaError(f"format '{name}' is unknown{did_you_mean(name, FORMATS)}")
    written = []
    for name in dict.fromkeys(formats):
        for file, write in _PLAIN.get(name, ()):
            write(analysis, out / file)
            written.append(out / file)
        if name == "html":
            write_report(analysis, out / "report.html", show_faces)
            written.append(out / "report.html")
    return written
