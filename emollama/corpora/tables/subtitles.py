"""Texts of clips from a folder of subtitles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from emollama.base.paths import need_folder
from emollama.corpora.collection import files_by_stem
from emollama.corpora.tables.rows import Clip
from emollama.corpora.tables.tiers import SUBTITLES, Interval, overlaps, read_subtitles


class Subtitles:
    """A folder of <name>.srt and <name>.vtt, found by the name of a clip's file.

    Raises:
        EmollamaError: it is no folder.
    """

    def __init__(self, folder: Path, encoding: str | None = None) -> None:
        need_folder(folder, "NAME.srt or NAME.vtt of each clip")
        self.folder = folder
        self._files = files_by_stem(folder, SUBTITLES)
        self._cues = cache(lambda file: read_subtitles(file, encoding))

    def add_to(self, clips: Sequence[Clip]) -> str:
        """Give clips without a text the words said in their span; a note on how many got some."""
        given = 0
        lacking = [clip for clip in clips if not clip.cells.get("text") and clip.file is not None]
        for clip in lacking:
            file = self._files.get(clip.file.stem if clip.file else "")
            if file is not None:
                words = spoken(self._cues(file), clip.start, clip.end)
                if words:
                    clip.cells["text"] = words
                    given += 1
        return f"subtitles in {self.folder}: text of {given} of {len(lacking)} clips without one"


def spoken(cues: Sequence[Interval], start: float | None, end: float | None) -> str:
    """The words of the cues that lie mostly in a span."""
    span = (start or 0.0, math.inf if end is None else end)
    return " ".join(one.words for one in cues if overlaps(one, *span))
