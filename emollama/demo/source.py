"""What a visitor has chosen to be read: a file, or a part of it, and the face that is looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from emollama.base.errors import EmollamaError
from emollama.media.cutting import Box
from emollama.media.speech import Span
from emollama.recording.views import Faces, view_of
from emollama.session import Peak


@dataclass(frozen=True)
class Source:
    """A file and what of it is read.

    Attributes:
        path: of the file; `name` is its owner's name for it.
        text: what is said in it; None to transcribe it.
        start, end: seconds of the file; None for its own.
        view: the part of the picture to look at; None for all of it.
    """

    path: Path
    name: str
    text: str | None = None
    start: float | None = None
    end: float | None = None
    view: Box | None = None

    def part(self, start: float | None, end: float | None) -> Source:
        """The part from `start` to `end`; the words of the whole are not those of a part.

        Raises:
            EmollamaError: it has no length.
        """
        low = start or 0.0
        if low < 0 or (end is not None and end <= low):
            raise EmollamaError(
                f"a part must end after it begins, at 0 s or later: {low:g} to {end:g} s is none"
                if end is not None
                else f"a part begins at 0 s or later, not at {low:g} s"
            )
        return replace(self, text=None, start=start or None, end=end, view=None)

    @property
    def span_in_words(self) -> str:
        """ "12 to 20 s"; "" for the whole file."""
        if self.start is None and self.end is None:
            return ""
        return f"{self.start or 0:g} s to {'the end' if self.end is None else f'{self.end:g} s'}"


def face_views(peak: Peak | None) -> tuple[tuple[Box, ...], int]:
    """The part of the picture around each face of the peak frame, from left to right, and which of
    them was read; none for a single face.
    """
    if peak is None or not peak.others:
        return (), 0
    height, width = peak.image.shape[:2]
    boxes = peak.boxes
    faces = [
        Faces.still([(left / width, top / height, right / width, bottom / height)])
        for left, top, right, bottom in boxes
    ]
    views = []
    for i, face in enumerate(faces):
        view, _ = view_of(face, [*faces[:i], *faces[i + 1 :]], Span(0.0, 1.0))
        assert view is not None, "its one box is in the span"
        views.append(view)
    return tuple(views), boxes.index(peak.box)
