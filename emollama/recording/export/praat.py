"""Praat's .TextGrid: the tiers that `tiers` describes."""

from __future__ import annotations

from pathlib import Path

from praatio import textgrid

from emollama.base.files import atomic_path
from emollama.recording.export.tiers import tiers_of
from emollama.recording.parts import Analysis


def write_textgrid(analysis: Analysis, path: Path) -> None:
    """Tiers "A emotion", "A text" and "A words" in the long text format, which Praat writes too."""
    end = max(round(analysis.duration, 3), 0.001)
    grid = textgrid.Textgrid(0.0, end)
    for tier in tiers_of(analysis):
        entries = [(one.start, one.end, one.words) for one in tier.intervals if one.words]
        grid.addTier(textgrid.IntervalTier(tier.name, entries, 0.0, end))
    with atomic_path(path) as temporary:
        grid.save(str(temporary), "long_textgrid", includeBlankSpaces=True, reportingMode="silence")
